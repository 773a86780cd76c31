//! What the system says of names: `/etc/resolv.conf` and `/etc/hosts`, read again when they change.

use core::net::{IpAddr, SocketAddr};
use std::collections::HashMap;
use std::fs;
use std::path::PathBuf;
use std::time::SystemTime;

/// The port of name servers.
const PORT: u16 = 53;

/// A file, and when it was changed last.
#[derive(Debug)]
struct Watched {
    path: PathBuf,
    changed: Option<SystemTime>,
}

impl Watched {
    fn new(path: &str) -> Self {
        Self { path: path.into(), changed: None }
    }

    /// What the file says now; `None` when it is not there, or says what it said.
    fn fresh(&mut self) -> Option<String> {
        let changed = fs::metadata(&self.path).and_then(|data| data.modified()).ok();
        if changed.is_none() || changed == self.changed {
            return None;
        }
        self.changed = changed;
        fs::read(&self.path).ok().map(|octets| String::from_utf8_lossy(&octets).into_owned())
    }
}

/// The two files. Where there are none, as on other systems than Unix, there is nothing in them.
#[derive(Debug)]
pub(crate) struct System {
    servers: Watched,
    names: Watched,
    hosts: HashMap<String, Vec<IpAddr>>,
}

impl System {
    pub(crate) fn new() -> Self {
        Self::of("/etc/resolv.conf", "/etc/hosts")
    }

    pub(crate) fn of(servers: &str, names: &str) -> Self {
        Self { servers: Watched::new(servers), names: Watched::new(names), hosts: HashMap::new() }
    }

    /// The name servers, when they are others than at the last time.
    pub(crate) fn new_servers(&mut self) -> Option<Vec<SocketAddr>> {
        self.servers.fresh().map(|text| servers(&text))
    }

    /// The addresses that the file of hosts has for a name, if it has any.
    pub(crate) fn addresses(&mut self, host: &str) -> Option<&[IpAddr]> {
        if let Some(text) = self.names.fresh() {
            self.hosts = hosts(&text);
        }
        self.hosts.get(&host.to_ascii_lowercase()).map(Vec::as_slice)
    }
}

/// What stands in a line before its comment, by words.
fn words(line: &str) -> impl Iterator<Item = &str> {
    line.split(['#', ';']).next().unwrap_or_default().split_ascii_whitespace()
}

fn servers(text: &str) -> Vec<SocketAddr> {
    let server = |line| {
        let mut words = words(line);
        let ip: IpAddr = words.next().filter(|key| *key == "nameserver").and_then(|_| words.next())?.parse().ok()?;
        Some(SocketAddr::new(ip, PORT))
    };
    text.lines().filter_map(server).collect()
}

fn hosts(text: &str) -> HashMap<String, Vec<IpAddr>> {
    let mut hosts: HashMap<String, Vec<IpAddr>> = HashMap::new();
    for line in text.lines() {
        let mut words = words(line);
        let Some(ip) = words.next().and_then(|ip| ip.parse::<IpAddr>().ok()) else { continue };
        for name in words {
            hosts.entry(name.to_ascii_lowercase()).or_default().push(ip);
        }
    }
    hosts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_stand_in_lines_of_their_own() {
        let text = "# nameserver 192.0.2.9\nsearch a.example\n\nnameserver 192.0.2.1\n nameserver\t2001:db8::1 # two\n\
                    nameserver fe80::1%eth0\nnameserver\noptions edns0\nnameserver 192.0.2.3 ; three\n";
        let expected = ["192.0.2.1:53", "[2001:db8::1]:53", "192.0.2.3:53"];
        assert_eq!(servers(text).iter().map(ToString::to_string).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn a_host_has_all_addresses_of_its_names() {
        let text =
            "127.0.0.1 localhost\n::1 localhost ip6-localhost\n192.0.2.1 Pbx.Example pbx # the PBX\nnonsense pbx\n";
        let found = hosts(text);
        let of = |name: &str| found.get(name).map(|ips| ips.iter().map(ToString::to_string).collect::<Vec<_>>());
        assert_eq!(of("localhost"), Some(vec!["127.0.0.1".to_owned(), "::1".to_owned()]));
        assert_eq!(
            (of("pbx.example"), of("pbx")),
            (Some(vec!["192.0.2.1".to_owned()]), Some(vec!["192.0.2.1".to_owned()]))
        );
        assert_eq!(of("the"), None);
    }

    #[test]
    fn a_file_is_read_when_it_has_changed() {
        let path = std::env::temp_dir().join(format!("sip-hosts-{}", std::process::id()));
        let mut system = System::of("/nonexistent/resolv.conf", path.to_str().unwrap());
        assert_eq!((system.new_servers(), system.addresses("pbx").is_none()), (None, true));
        let file = |octets: &str, seconds| {
            fs::write(&path, octets).unwrap();
            let changed = SystemTime::UNIX_EPOCH + core::time::Duration::from_secs(seconds);
            fs::File::options().append(true).open(&path).unwrap().set_modified(changed).unwrap();
        };
        file("192.0.2.1 pbx\n", 1000);
        assert_eq!(system.addresses("PBX").unwrap().len(), 1);
        file("192.0.2.1 pbx\n192.0.2.2 pbx\n", 2000);
        assert_eq!(system.addresses("pbx").unwrap().len(), 2);
        fs::remove_file(&path).unwrap();
        assert_eq!(system.addresses("pbx").unwrap().len(), 2);
    }
}
