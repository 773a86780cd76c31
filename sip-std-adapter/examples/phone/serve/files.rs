//! Files that hold secrets: for their owner alone, and never half written.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};

/// Octets of a secret that is made here.
const SECRET: usize = 32;
/// The shortest one that is taken.
const LEAST: usize = 16;

/// A file for its owner alone, which must not be there yet.
fn create(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

/// Puts a file in place of the one that is there, if one is: whole or not at all. It keeps the old one's permissions.
pub(crate) fn replace(path: &Path, octets: &[u8]) -> io::Result<()> {
    // A link stays one.
    let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let beside = beside(&path, &format!(".new-{}", std::process::id()));
    let written = write_new(&beside, octets, fs::metadata(&path).ok()).and_then(|()| fs::rename(&beside, &path));
    if written.is_err() {
        let _ = fs::remove_file(&beside);
    }
    written
}

fn write_new(path: &Path, octets: &[u8], like: Option<fs::Metadata>) -> io::Result<()> {
    let mut file = create(path)?;
    file.write_all(octets)?;
    if let Some(old) = like {
        file.set_permissions(old.permissions())?;
    }
    file.sync_all()
}

/// The path with something behind its name.
pub(crate) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// A secret of our own, made if it is not there yet.
pub(crate) fn secret(path: &Path) -> io::Result<Vec<u8>> {
    match fs::read(path) {
        Ok(octets) if octets.len() >= LEAST => Ok(octets),
        Ok(_) => Err(io::Error::new(ErrorKind::InvalidData, "a secret has at least 16 octets")),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let octets = random()?;
            let mut file = create(path)?;
            file.write_all(&octets)?;
            file.sync_all()?;
            Ok(octets)
        }
        Err(error) => Err(error),
    }
}

/// A secret for this run alone.
pub(crate) fn random() -> io::Result<Vec<u8>> {
    let mut octets = Vec::with_capacity(SECRET);
    while octets.len() < SECRET {
        octets.extend_from_slice(&sip_std_adapter::seed()?);
    }
    Ok(octets)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn directory(name: &str) -> PathBuf {
        let path = std::env::temp_dir().join(format!("phone-files-{name}-{}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        path
    }

    #[test]
    fn a_secret_is_made_once_and_for_its_owner_alone() {
        let directory = directory("secret");
        let path = directory.join("secret");
        let made = secret(&path).unwrap();
        assert_eq!((made.len(), secret(&path).unwrap() == made, random().unwrap() == made), (SECRET, true, false));
        #[cfg(unix)]
        assert_eq!(std::os::unix::fs::PermissionsExt::mode(&fs::metadata(&path).unwrap().permissions()) & 0o777, 0o600);
        fs::write(&path, b"short").unwrap();
        assert_eq!(secret(&path).unwrap_err().kind(), ErrorKind::InvalidData);
        fs::remove_dir_all(directory).unwrap();
    }

    #[test]
    fn a_file_is_replaced_whole_and_leaves_nothing_beside_it() {
        let directory = directory("replace");
        let path = directory.join("users");
        for text in ["one", "two"] {
            replace(&path, text.as_bytes()).unwrap();
            assert_eq!(fs::read_to_string(&path).unwrap(), text);
        }
        assert_eq!(fs::read_dir(&directory).unwrap().count(), 1);
        assert!(replace(&directory.join("no/users"), b"x").is_err());
        fs::remove_dir_all(directory).unwrap();
    }
}
