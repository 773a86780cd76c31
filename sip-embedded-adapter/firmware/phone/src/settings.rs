//! What the phone is told at its start: words of the form `name=value`.

use core::net::Ipv4Addr;
use sip_core::transport::Transport;

/// The settings, borrowed from the words they were read from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings<'a> {
    /// The address of the phone in its network: `address`.
    pub address: Ipv4Addr,
    /// The length of the network's prefix: `prefix`.
    pub prefix: u8,
    /// The router, through which everybody else is reached: `gateway`.
    pub gateway: Ipv4Addr,
    /// The host and port under which its peers reach the phone: `sent-by`. Behind a NAT they are not its own.
    pub sent_by: &'a str,
    /// The address of record, a SIP URI: `identity`.
    pub identity: &'a str,
    /// The user part of the address of record, for Contact and for authentication: `user`.
    pub user: &'a str,
    /// The password: `password`.
    pub password: &'a str,
    /// The realm in which user and password hold, so that no stranger is answered with them: `realm`.
    pub realm: &'a str,
    /// The registrar, a SIP URI; the phone registers at start unless it is empty: `registrar`.
    pub registrar: &'a str,
    /// Seconds for which it registers: `expires`.
    pub expires: u32,
    /// Whether requests go by TCP, for which the firmware has to be built: `transport`, `udp` or `tcp`.
    pub transport: Transport,
    /// T1, the estimate of the round-trip time (RFC 3261 §17.1.1.1), in milliseconds: `t1`.
    pub t1: u32,
}

impl Default for Settings<'_> {
    /// A phone in the network that QEMU makes up, without a registrar.
    fn default() -> Self {
        Self {
            address: Ipv4Addr::new(10, 0, 2, 15),
            prefix: 24,
            gateway: Ipv4Addr::new(10, 0, 2, 2),
            sent_by: "10.0.2.15:5060",
            identity: "sip:phone@10.0.2.15",
            user: "phone",
            password: "",
            realm: "",
            registrar: "",
            expires: 3600,
            transport: Transport::Udp,
            t1: 500,
        }
    }
}

impl<'a> Settings<'a> {
    /// Takes one word.
    ///
    /// # Errors
    /// The word itself, when it is no setting or its value can't be read.
    pub fn set(&mut self, word: &'a str) -> Result<(), &'a str> {
        let (name, value) = word.split_once('=').ok_or(word)?;
        match name {
            "address" => self.address = value.parse().map_err(|_| word)?,
            "prefix" => self.prefix = value.parse().ok().filter(|prefix| *prefix <= 32).ok_or(word)?,
            "gateway" => self.gateway = value.parse().map_err(|_| word)?,
            "sent-by" => self.sent_by = value,
            "identity" => self.identity = value,
            "user" => self.user = value,
            "password" => self.password = value,
            "realm" => self.realm = value,
            "registrar" => self.registrar = value,
            "expires" => self.expires = value.parse().map_err(|_| word)?,
            "transport" => {
                self.transport = match value {
                    "udp" => Transport::Udp,
                    "tcp" => Transport::Tcp,
                    _ => return Err(word),
                }
            }
            "t1" => self.t1 = value.parse().map_err(|_| word)?,
            _ => return Err(word),
        }
        Ok(())
    }

    /// The address that stands in session descriptions: the host that peers reach, where it is an address.
    #[must_use]
    pub fn media_address(&self) -> Ipv4Addr {
        let host = self.sent_by.rsplit_once(':').map_or(self.sent_by, |(host, _)| host);
        host.parse().unwrap_or(self.address)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_set_what_they_name_and_wrong_ones_are_given_back() {
        let mut settings = Settings::default();
        for word in
            ["sent-by=192.0.2.1:5070", "prefix=8", "expires=60", "password=a=b", "gateway=10.0.0.1", "transport=tcp"]
        {
            assert_eq!(settings.set(word), Ok(()));
        }
        assert_eq!((settings.prefix, settings.expires, settings.password), (8, 60, "a=b"));
        assert_eq!(settings.media_address(), Ipv4Addr::new(192, 0, 2, 1));
        assert_eq!(settings.transport, Transport::Tcp);
        for word in ["prefix=33", "prefix", "expires=-1", "address=10.0.2", "colour=red", "transport=tls"] {
            assert_eq!(settings.set(word), Err(word));
        }
        settings.sent_by = "phone.example.com";
        assert_eq!(settings.media_address(), Ipv4Addr::new(10, 0, 2, 15));
    }
}
