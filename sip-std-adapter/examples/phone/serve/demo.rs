//! The server of `phone demo`.

use super::doors::Door;
use super::{How, Server, files};
use crate::interrupt::Interrupt;
use crate::report::Failure;
use crate::screen::Shared;
use crate::serve::users::Users;
use std::net::SocketAddr;

/// A server of this host alone, whose users are given and whose bindings end with it. What passes it is shown.
pub(crate) struct Demo(Server);

impl Demo {
    pub(crate) fn start(
        domain: &str,
        users: &[(&str, &str)],
        screen: &Shared,
        interrupt: &Interrupt,
    ) -> Result<Self, Failure> {
        let mut known = Users::default();
        for (name, password) in users {
            known.add(name, domain, password);
        }
        let mut server = Server::bind(&[Door::plain(SocketAddr::from(([127, 0, 0, 1], 0)))], known, screen, interrupt)?;
        server.start(&[domain.to_owned()], &files::random()?, &How::default())?;
        server.log.set_column(1);
        let shown = screen.clone();
        server.tap(move |way, end, flow, bytes, now| shown.lock().message(way, end, flow, bytes, now));
        Ok(Self(server))
    }

    pub(crate) fn local_addr(&self) -> SocketAddr {
        self.0.adapter.local_addr()
    }

    pub(crate) fn run(&mut self) -> Result<(), Failure> {
        self.0.run()
    }
}
