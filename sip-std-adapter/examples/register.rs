//! Registers until a line comes on standard input, which another thread reads, and removes the binding then.
//!
//! `cargo run --example register -- sip:192.0.2.1:5060 sip:bob@example.com bob secret`
use core::net::SocketAddr;
use core::ops::ControlFlow;
use sip_core::message::Uri;
use sip_core::ua::{Config, Event, UserAgent};
use sip_std_adapter::{Adapter, Turn, memory::HeapMemory};
use std::net::ToSocketAddrs;

/// What the other thread may ask for.
enum Command {
    Stop,
}

fn main() -> Result<(), Box<dyn core::error::Error>> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [registrar, aor, login @ ..] = words.as_slice() else {
        return Err("registrar and address, both as URIs".into());
    };
    let here = SocketAddr::new(sip_std_adapter::local_ip(address_of(registrar)?)?, 0);
    let mut adapter = Adapter::bind(UserAgent::new(HeapMemory::with_capacity(64, 8, 4, 1)), here)?;
    adapter.start(&Config::new("", aor).with_contact_user("phone"))?;
    if let [user, password] = login {
        adapter.role_mut().add_credentials("", user, password)?;
    }
    let registration = adapter.with(|ua, now| ua.register(now, registrar, aor, 300))?;
    let (commander, commands) = adapter.commands();
    std::thread::spawn(move || {
        let _ = std::io::stdin().read_line(&mut String::new());
        commander.send(Command::Stop)
    });
    adapter.run(&mut vec![0; 65_536], |adapter, turn| {
        if let Turn::Woken = turn {
            for Command::Stop in commands.try_iter() {
                // An error says that it was given up already, which is told as well.
                let _ = adapter.with(|ua, now| ua.unregister(now, registration));
            }
        }
        match turn.event() {
            Some(Event::Registered { expires, .. }) => println!("registered for {expires} s"),
            Some(Event::RegistrationFailed { status, retry_after: 0, .. }) => {
                println!("refused: {status}");
                return ControlFlow::Break(());
            }
            Some(Event::RegistrationFailed { status, retry_after, .. }) => {
                println!("{status}, tried again in {retry_after} s");
            }
            Some(Event::Unregistered { .. }) => {
                println!("removed");
                return ControlFlow::Break(());
            }
            _ => {}
        }
        ControlFlow::Continue(())
    })?;
    Ok(())
}

/// Where the host of a URI is.
fn address_of(uri: &str) -> Result<SocketAddr, Box<dyn core::error::Error>> {
    let uri = Uri::parse(uri.as_bytes()).map_err(|_| "not a URI")?;
    let host = core::str::from_utf8(uri.host().as_bytes())?;
    let host = host.trim_start_matches('[').trim_end_matches(']');
    Ok((host, uri.port().unwrap_or(5060)).to_socket_addrs()?.next().ok_or("no address")?)
}
