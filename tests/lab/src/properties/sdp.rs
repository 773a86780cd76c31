//! Session descriptions: what is read, written again, is read as the same, and limits are errors by name.

use super::said::{Said, each};
use super::shown;
use sip_core::message::WriteError;
use sip_core::sdp::{
    Attribute, MAX_FORMATS, MAX_LINES, MAX_MEDIA, MAX_OCTETS, Media, SdpError, Session, Typed, Writer,
};

/// What holds of octets that may be a session description.
///
/// # Panics
/// When it does not hold.
pub fn sdp(octets: &[u8]) {
    let session = match Session::parse(octets) {
        Ok(session) => session,
        Err(error) => return limits(octets, error),
    };
    let said = description(&session);
    // One room, and then all that is too small for it.
    let mut room = vec![0; 3 * octets.len() + 256];
    let length = match write(&session, &mut room) {
        Ok(length) => length,
        Err(refusal) => return may_be_refused(&session, refusal),
    };
    room.truncate(length);
    for size in [0, length / 3, length.saturating_sub(1)] {
        let small = write(&session, &mut vec![0; size]);
        assert_eq!(small, Err(WriteError::Full { needed: length }), "in a room of {size}");
    }
    let again = Session::parse(&room).unwrap_or_else(|error| panic!("{error:?} in what was written: {}", shown(&room)));
    assert_eq!(description(&again), said, "written again it means something else");
    let mut settled = vec![0; length];
    assert_eq!((write(&again, &mut settled), &settled), (Ok(length), &room), "writing again does not settle");
}

/// Reads everything that a description has; gives what it says.
///
/// # Panics
/// When an iterator gives more items than there are octets, or a limit is exceeded.
#[must_use]
pub fn description(session: &Session<'_>) -> Said {
    let most = session.bytes().len() + 1;
    let mut said = Said::default();
    said.text("origin", format!("{:?}", session.origin()).as_bytes());
    assert!(session.origin().is_same_session(&session.origin()));
    // An empty name is written as the dash that stands for none.
    said.maybe("name", session.name().map(|name| if name.is_empty() { b"-" } else { name }));
    said.text("connection", format!("{:?}", session.connection()).as_bytes());
    said.text("ip", format!("{:?}", session.connection().and_then(|one| one.ip())).as_bytes());
    said.text("direction", session.direction().name().as_bytes());
    each(session.bandwidths(), most, |one| said.text("bandwidth", format!("{one:?}").as_bytes()));
    each(session.timings(), most, |one| said.text("timing", format!("{one:?}").as_bytes()));
    for kind in *b"iuep" {
        each(session.lines(kind), most, |line| said.text("line", line));
    }
    each(session.attributes(), most, |one| attribute(&mut said, &one));
    assert!(session.media_count() <= MAX_MEDIA);
    assert_eq!(session.media().count(), session.media_count());
    each(session.media(), most, |one| media(&mut said, &one, most));
    said
}

fn media(said: &mut Said, media: &Media<'_>, most: usize) {
    said.text("media", media.kind());
    said.number("port", Some(media.port()));
    said.number("ports", Some(media.port_count()));
    let last = u32::from(media.port()) + 2 * (u32::from(media.port_count()) - 1);
    assert!(last <= u32::from(u16::MAX), "ports beyond 65,535");
    said.text("proto", media.proto());
    let mut formats = 0;
    each(media.formats(), MAX_FORMATS, |format| {
        formats += 1;
        said.text("format", format);
    });
    assert!(formats >= 1);
    for number in media.payload_types() {
        assert!(number < 128);
        said.text("codec", format!("{:?}", media.codec(number)).as_bytes());
        if let Some(fmtp) = media.fmtp(number) {
            assert_eq!(fmtp.payload_type(), Some(number));
            each(fmtp.params(), most, |param| {
                assert_eq!(fmtp.param(param.name).is_some(), !param.name.is_empty() || param.value.is_some());
            });
        }
    }
    said.text("connection", format!("{:?}", media.connection()).as_bytes());
    said.number("hold", media.connection().map(|one| one.is_unspecified()));
    each(media.connections(), most, |one| said.text("own", format!("{one:?}").as_bytes()));
    said.text("direction", media.direction().name().as_bytes());
    assert_eq!(media.direction().reversed().reversed(), media.direction());
    each(media.bandwidths(), most, |one| said.text("bandwidth", format!("{one:?}").as_bytes()));
    said.number("ptime", media.ptime());
    said.number("maxptime", media.max_ptime());
    said.number("mux", Some(media.rtcp_mux()));
    said.text("rtcp", format!("{:?}", media.rtcp()).as_bytes());
    said.maybe("mid", media.mid());
    each(media.rtpmaps(), most, |map| {
        assert!(
            map.clock_rate != 0
                && map.payload_type < 128
                && map.channels() >= 1
                && map.is(map.encoding, map.clock_rate)
        );
    });
    each(media.cryptos(), most, |one| {
        said.outcome("crypto", Some(one), |said, crypto| {
            said.text("line", format!("{crypto:?}").as_bytes());
            each(crypto.keys(), most, |key| said.text("key", format!("{key:?}").as_bytes()));
            each(crypto.params(), most, |param| said.text("param", param));
        });
    });
    each(media.lines(b'i'), most, |line| said.text("line", line));
    each(media.attributes(), most, |one| attribute(said, &one));
}

fn attribute(said: &mut Said, one: &Attribute<'_>) {
    match one.typed() {
        Ok(typed) => said.text("typed", format!("{typed:?}").as_bytes()),
        Err(_) => {
            said.text("attribute", one.name);
            said.maybe("value", one.value);
        }
    }
}

/// Writes what was read, each line by its type.
fn write(session: &Session<'_>, room: &mut [u8]) -> Result<usize, WriteError> {
    let mut w = Writer::new(room);
    w.origin(&session.origin());
    if let Some(name) = session.name() {
        w.name(name);
    }
    for kind in *b"iuep" {
        session.lines(kind).for_each(|value| w.line(kind, value));
    }
    if let Some(connection) = session.connection() {
        w.connection(&connection);
    }
    session.bandwidths().for_each(|one| w.bandwidth(one.kind, one.value));
    session.timings().for_each(|timing| w.timing(timing));
    session.attributes().for_each(|one| write_attribute(&mut w, one));
    for media in session.media() {
        w.media_of(media.kind(), (media.port(), media.port_count()), media.proto(), media.formats());
        media.lines(b'i').for_each(|value| w.line(b'i', value));
        media.connections().for_each(|one| w.connection(&one));
        media.bandwidths().for_each(|one| w.bandwidth(one.kind, one.value));
        media.attributes().for_each(|one| write_attribute(&mut w, one));
    }
    w.finish()
}

fn write_attribute(w: &mut Writer<'_>, one: Attribute<'_>) {
    match one.typed() {
        Ok(Typed::RtpMap(map)) => w.rtpmap(&map),
        Ok(Typed::Fmtp(fmtp)) => w.fmtp(&fmtp),
        Ok(Typed::Ptime(time)) => w.ptime(time),
        Ok(Typed::MaxPtime(time)) => w.max_ptime(time),
        Ok(Typed::Direction(direction)) => w.direction(direction),
        Ok(Typed::RtcpMux) => w.rtcp_mux(),
        Ok(Typed::Rtcp(rtcp)) => w.rtcp(&rtcp),
        // A key that can't be read is passed on as it is.
        Ok(Typed::Crypto(crypto)) if crypto.keys().all(|key| key.is_ok()) => w.crypto(&crypto),
        _ => match one.value {
            Some(value) => w.line(b'a', &[one.name, b":", value].concat()),
            None => w.line(b'a', one.name),
        },
    }
}

/// Controls are read wherever they stand and written only in free text.
fn may_be_refused(session: &Session<'_>, refusal: WriteError) {
    let control = |octet: &u8| (*octet < b' ' && !matches!(octet, b'\r' | b'\n')) || *octet == 0x7F;
    let fair = match refusal {
        WriteError::TooLarge { .. } => true,
        WriteError::Injection => session.bytes().iter().any(control),
        WriteError::Full { .. } => false,
    };
    assert!(fair, "{refusal:?} for what was parsed: {}", shown(session.bytes()));
}

/// A limit is named where it is exceeded, and only there.
fn limits(octets: &[u8], error: SdpError) {
    let lines = octets.split(|octet| *octet == b'\n').count();
    let media = octets.split(|octet| *octet == b'\n').filter(|line| line.starts_with(b"m=")).count();
    let fair = match error {
        SdpError::TooLarge => octets.len() > MAX_OCTETS,
        SdpError::TooManyLines => lines > MAX_LINES,
        SdpError::TooManyMedia => media > MAX_MEDIA,
        SdpError::TooManyFormats => {
            octets.split(|octet| *octet == b'\n').any(|line| line.split(|octet| *octet == b' ').count() > MAX_FORMATS)
        }
        _ => octets.len() <= MAX_OCTETS,
    };
    assert!(fair, "{error:?} for {}", shown(octets));
}
