//! linphone: liblinphone's console phone.

use super::{LIMIT, Process, free_port};
use std::fs;
use std::path::Path;
use std::process::Command;

/// Starts it as a user of a server, with its files in a directory of its own. It registers, and answers calls by itself.
pub(super) fn start(
    directory: &Path,
    server: &str,
    domain: &str,
    (user, password): (&str, &str),
    tcp: bool,
) -> Process {
    // Port 0 switches a transport off. What is written by a name that it does not know is overlooked.
    let port = free_port();
    let (udp_port, tcp_port, transport) = if tcp { (0, port, "tcp") } else { (port, 0, "udp") };
    let config = format!(
        "[sip]\nsip_port={udp_port}\nsip_udp_port={udp_port}\nsip_tcp_port={tcp_port}\nsip_tls_port=0\nbind_address=127.0.0.1\n\
         use_ipv6=0\ndefault_proxy=0\n\
         [rtp]\naudio_rtp_port={}\n\
         [proxy_0]\nreg_proxy=<sip:{server};transport={transport}>\nreg_route=<sip:{server};transport={transport};lr>\n\
         reg_identity=sip:{user}@{domain}\nreg_expires=60\nreg_sendregister=1\n\
         [auth_info_0]\nusername={user}\npasswd={password}\nrealm={domain}\ndomain={domain}\n",
        free_port() & !1
    );
    let file = directory.join("linphonerc");
    // Without the directory of its databases it is without a network, too.
    let written = fs::create_dir_all(directory.join(".local/share/linphone")).and_then(|()| fs::write(&file, config));
    if let Err(error) = written {
        panic!("no files for linphone in {}: {error}", directory.display());
    }
    let mut program = Command::new("linphonec");
    program.env("HOME", directory).env_remove("XDG_DATA_HOME").env_remove("XDG_CONFIG_HOME").arg("-c").arg(file);
    let mut process = Process::start("linphone", &mut program, LIMIT);
    process.type_line("soundcard use files");
    process.type_line("autoanswer enable");
    // It registers by itself meanwhile: who calls it as soon as it is registered may be there before this.
    process.wait_for("Auto answer enabled.");
    process
}
