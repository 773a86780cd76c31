//! The bindings on disk: one file of `redb`, a row for each address of record, its octets in the format of the registrar's records.
//!
//! A commit is on the disk when it returns, so whoever got a 200 is still registered after a crash. While `phone serve` has the
//! file open nobody else can open it; who only looks reads its octets ([`read`]).

use redb::backends::InMemoryBackend;
use redb::{Builder, Database, DatabaseError, ReadableDatabase, ReadableTable, StorageBackend, TableDefinition};
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;

/// By address of record.
const BINDINGS: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("bindings");
const META: TableDefinition<'_, &str, u64> = TableDefinition::new("meta");
/// What the rows of this version are written in.
const VERSION: u64 = 1;
/// How often a file is read that changes meanwhile.
const READS: u32 = 50;

/// An address of record and its records.
pub(crate) type Row = (Vec<u8>, Vec<u8>);

/// The octets with which a file of `redb` begins.
const MAGIC: &[u8] = b"redb";

/// The file, open for us alone.
pub(crate) struct Store {
    /// Opens it again: after a fault of the disk `redb` takes nothing more.
    open: Box<dyn Fn() -> Result<Database, String> + Send>,
    database: Option<Database>,
}

impl Store {
    /// Opens the file, or makes it; gives what it holds.
    pub(crate) fn open(path: &Path) -> Result<(Self, Vec<Row>), String> {
        // For its owner alone: the records say where people are.
        if !path.exists() {
            super::files::replace(path, b"").map_err(|error| told(path, &error))?;
        }
        is_store(path)?;
        let at = path.to_owned();
        let opened = Self::with(move || {
            Database::create(&at).map_err(|error| match error {
                DatabaseError::DatabaseAlreadyOpen => "another server has it open".to_owned(),
                error => redb::Error::from(error).to_string(),
            })
        });
        opened.map_err(|what| told(path, &what))
    }

    /// The same with what opens the database.
    pub(super) fn with(
        open: impl Fn() -> Result<Database, String> + Send + 'static,
    ) -> Result<(Self, Vec<Row>), String> {
        let database = open()?;
        check_version(&database, true)?;
        let rows = rows(&database).map_err(|error| error.to_string())?;
        Ok((Self { open: Box::new(open), database: Some(database) }, rows))
    }

    /// Writes the new records of these addresses, all of them or none; no records, no row.
    pub(crate) fn commit(&mut self, changes: &[Row]) -> Result<(), String> {
        let database = match self.database.take() {
            Some(database) => database,
            None => (self.open)()?,
        };
        write(&database, changes).map_err(|error| error.to_string())?;
        self.database = Some(database);
        Ok(())
    }
}

fn told(path: &Path, what: &dyn core::fmt::Display) -> String {
    format!("{}: {what}", path.display())
}

/// Whether a file is one that `redb` has made, or empty.
fn is_store(path: &Path) -> Result<(), String> {
    let mut start = Vec::new();
    let read = File::open(path).and_then(|file| file.take(MAGIC.len() as u64).read_to_end(&mut start));
    match read {
        Err(error) => Err(told(path, &error)),
        Ok(_) if start.is_empty() || start == MAGIC => Ok(()),
        Ok(_) => Err(told(path, &"this is no file of bindings; `phone serve --store` makes one where there is none")),
    }
}

fn write(database: &Database, changes: &[Row]) -> Result<(), redb::Error> {
    let write = database.begin_write()?;
    {
        let mut bindings = write.open_table(BINDINGS)?;
        for (aor, records) in changes {
            if records.is_empty() {
                bindings.remove(aor.as_slice())?;
            } else {
                bindings.insert(aor.as_slice(), records.as_slice())?;
            }
        }
    }
    Ok(write.commit()?)
}

fn check_version(database: &Database, write_it: bool) -> Result<(), String> {
    let version = version(database).map_err(|error| error.to_string())?;
    match version {
        Some(VERSION) => Ok(()),
        None if write_it => set_version(database).map_err(|error| error.to_string()),
        None => Err("no bindings are in it".to_owned()),
        Some(other) => Err(format!("its version is {other}, and {VERSION} is what this program reads")),
    }
}

fn version(database: &Database) -> Result<Option<u64>, redb::Error> {
    match database.begin_read()?.open_table(META) {
        Ok(meta) => Ok(meta.get("version")?.map(|version| version.value())),
        Err(redb::TableError::TableDoesNotExist(_)) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

fn set_version(database: &Database) -> Result<(), redb::Error> {
    let write = database.begin_write()?;
    write.open_table(META)?.insert("version", VERSION)?;
    write.open_table(BINDINGS)?;
    Ok(write.commit()?)
}

fn rows(database: &Database) -> Result<Vec<Row>, redb::Error> {
    let bindings = database.begin_read()?.open_table(BINDINGS)?;
    let mut rows = Vec::new();
    for row in bindings.iter()? {
        let (aor, records) = row?;
        rows.push((aor.value().to_vec(), records.value().to_vec()));
    }
    Ok(rows)
}

/// What a file holds that a server may have open: its octets are copied and opened in memory, as they would be after a crash
/// at that moment.
pub(crate) fn read(path: &Path) -> Result<Vec<Row>, String> {
    let told = |what: String| told(path, &what);
    is_store(path)?;
    let mut why = String::new();
    for _ in 0..READS {
        let octets = steady(path).map_err(|error| told(error.to_string()))?;
        match open_copy(&octets).and_then(|database| check_version(&database, false).map(|()| database)) {
            Ok(database) => return rows(&database).map_err(|error| told(error.to_string())),
            Err(error) => why = error,
        }
    }
    Err(told(why))
}

/// The octets of a file that was the same twice in a row.
fn steady(path: &Path) -> io::Result<Vec<u8>> {
    let mut octets = fs::read(path)?;
    for _ in 0..READS {
        let again = fs::read(path)?;
        if again == octets {
            break;
        }
        octets = again;
    }
    Ok(octets)
}

fn open_copy(octets: &[u8]) -> Result<Database, String> {
    if octets.is_empty() {
        return Err("no bindings are in it".to_owned());
    }
    let backend = InMemoryBackend::new();
    let length = u64::try_from(octets.len()).unwrap_or(u64::MAX);
    backend.set_len(length).and_then(|()| backend.write(0, octets)).map_err(|error| error.to_string())?;
    Builder::new().create_with_backend(backend).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::PathBuf;

    fn path(name: &str) -> PathBuf {
        std::env::temp_dir().join(format!("phone-store-{name}-{}.redb", std::process::id()))
    }

    fn row(aor: &str, records: &str) -> Row {
        (aor.as_bytes().to_vec(), records.as_bytes().to_vec())
    }

    #[test]
    fn what_is_committed_is_there_again() {
        let path = path("again");
        let (mut store, rows) = Store::open(&path).unwrap();
        assert!(rows.is_empty());
        store.commit(&[row("bob", "one"), row("alice", "two")]).unwrap();
        store.commit(&[row("bob", "three"), row("alice", ""), row("carol", "")]).unwrap();
        // Seen from outside while it is open, and after.
        assert_eq!(read(&path), Ok(vec![row("bob", "three")]));
        assert!(Store::open(&path).err().unwrap().contains("another server"));
        drop(store);
        assert_eq!(Store::open(&path).unwrap().1, [row("bob", "three")]);
        assert_eq!(read(&path), Ok(vec![row("bob", "three")]));
        #[cfg(unix)]
        assert_eq!(std::os::unix::fs::PermissionsExt::mode(&fs::metadata(&path).unwrap().permissions()) & 0o777, 0o600);
        fs::remove_file(path).unwrap();
    }

    #[test]
    fn a_store_that_nobody_closed_is_whole() {
        let (path, copy) = (path("crash"), path("crash-copy"));
        let (mut store, _) = Store::open(&path).unwrap();
        for number in 0..20 {
            store.commit(&[row(&format!("user{number}"), "x")]).unwrap();
            // What lies on the disk when the process is killed now.
            fs::copy(&path, &copy).unwrap();
            assert_eq!(Store::open(&copy).unwrap().1.len(), number + 1);
        }
        for path in [path, copy] {
            fs::remove_file(path).unwrap();
        }
    }

    #[test]
    fn a_file_of_something_else_is_told() {
        let path = path("other");
        fs::write(&path, b"not a database at all").unwrap();
        for told in [Store::open(&path).err().unwrap(), read(&path).err().unwrap()] {
            assert!(told.contains("no file of bindings"), "{told}");
        }
        assert_eq!(fs::read(&path).unwrap(), b"not a database at all");
        assert!(read(&path.with_extension("none")).is_err());
        fs::remove_file(path).unwrap();
    }
}
