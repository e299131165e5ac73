//! The database file: how it is opened, what its table is, and how a row goes in and comes out.
//!
//! Owns every SQL statement of the ledger. Never judges a row: that is the chain's (chain.rs, walk.rs).

use std::path::{Path, PathBuf};
use std::time::Duration;

use protocol::{Epoch, Position};
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags, OptionalExtension, params};

use super::{Chain, Damage, Fault, OpenError, Row, Tip};

/// Name of the file.
const LEDGER: &str = "ledger.db";
/// Marks the file as ours: "CHEF".
const APPLICATION_ID: i64 = 0x4348_4546;
/// Number of the format: the table, the chain and its key.
const FORMAT: i64 = 1;
/// Bytes of a page.
const PAGE_BYTES: usize = 16_384;
/// Pages that commits may leave in the WAL before it is checkpointed in line: 1,000 of 16 KiB, so the WAL stays at about
/// 16 MB plus one row. A checkpointer of its own let it grow to 700 MB under full load.
pub(super) const CHECKPOINT_PAGES: u64 = 1_000;
/// What a WAL that grew past this, because a reader held it, is cut to: above its usual size, so that it is
/// overwritten in place (a commit into space that exists needs no allocation).
const WAL_KEPT_BYTES: i64 = 32 << 20;
/// Page cache of the writer, in KiB (negative by SQLite's convention): one row of the greatest size and its way down.
const WRITER_CACHE: i64 = -16_384;
/// How long to wait for another connection; only opening and closing ones ever hold a lock we need.
const BUSY: Duration = Duration::from_secs(5);
/// Most rows and bytes a reader takes at once: between these it holds no transaction, so it never pins the WAL.
const CHUNK_ROWS: usize = 512;
const CHUNK_BYTES: usize = 4 << 20;

/// Where the database of `dir` is.
pub(super) fn path(dir: &Path) -> PathBuf {
    dir.join(LEDGER)
}

/// Whether there is one that holds anything.
pub(super) fn exists(dir: &Path) -> bool {
    std::fs::metadata(path(dir)).is_ok_and(|file| file.len() > 0)
}

/// The database and its WAL, which are there as long as it is open to write.
pub(super) fn files(dir: &Path) -> [PathBuf; 2] {
    [path(dir), dir.join(format!("{LEDGER}-wal"))]
}

/// Opens the database to write, and makes it if there is none and `may_create` agrees.
///
/// A close leaves the WAL as it is until [`allow_checkpoint_on_close`]: who refuses a ledger must not change it.
pub(super) fn open_writer(
    dir: &Path,
    may_create: impl FnOnce() -> Result<(), OpenError>,
) -> Result<Connection, OpenError> {
    let path = path(dir);
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let db = open(&path, flags)?;
    if is_new(&path, &db)? {
        may_create()?;
        create(&db).map_err(failed(&path, "create"))?;
        super::sync_dir(dir).map_err(OpenError::file(dir, "sync"))?;
    } else {
        check_identity(&path, &db)?;
    }
    tune(&db).map_err(failed(&path, "set up"))?;
    Ok(db)
}

/// Opens the database to read, also while it is written; nothing is changed, not even by closing.
pub(super) fn open_reader(dir: &Path) -> Result<Connection, OpenError> {
    let path = path(dir);
    if !path.exists() {
        return Err(OpenError::Missing { dir: dir.to_owned() });
    }
    let db = open(&path, OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    if is_new(&path, &db)? {
        return Err(OpenError::Missing { dir: dir.to_owned() });
    }
    check_identity(&path, &db)?;
    Ok(db)
}

/// Lets the last close move the WAL into the database.
pub(super) fn allow_checkpoint_on_close(db: &Connection, allow: bool) -> rusqlite::Result<()> {
    db.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, !allow).map(|_| ())
}

/// Commits one row; durable on return.
pub(super) fn insert(db: &Connection, row: &Row, chain: &Chain) -> rusqlite::Result<()> {
    let mut insert = db.prepare_cached("INSERT INTO journal VALUES (?1, ?2, ?3, ?4, ?5)")?;
    let values = params![integer(row.first), row.epoch.0, row.count, row.body.as_slice(), chain.0.as_slice()];
    insert.execute(values).map(|_| ())
}

/// Pages that a row puts in the WAL, about: itself, the leaf and what is above it.
pub(super) fn pages(row: &Row) -> u64 {
    (row.body.len() / PAGE_BYTES) as u64 + 2
}

/// Moves as much of the WAL into the database as readers allow; what they still need follows the next time.
pub(super) fn checkpoint(db: &Connection) -> rusqlite::Result<()> {
    db.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()))
}

/// Moves all of the WAL into the database and empties it; for one who is alone with it.
pub(super) fn checkpoint_all(db: &Connection) -> rusqlite::Result<()> {
    db.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get::<_, i64>(0)).and_then(|busy| match busy {
        0 => Ok(()),
        _ => Err(rusqlite::Error::SqliteFailure(rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_BUSY), None)),
    })
}

/// Says whether an error means that there is no space, and that nothing was committed.
pub(super) fn is_full(error: &rusqlite::Error) -> bool {
    error.sqlite_error_code() == Some(rusqlite::ErrorCode::DiskFull)
}

/// Ends what a failed commit left open; SQLite mostly has by itself.
pub(super) fn roll_back(db: &Connection) -> rusqlite::Result<()> {
    if db.is_autocommit() { Ok(()) } else { db.execute_batch("ROLLBACK") }
}

/// The rows behind `after`, as many as make a chunk, with their stored chain values; none at the end.
pub(super) fn rows_behind(db: &Connection, after: Position) -> Result<Vec<(Row, Chain)>, Fault> {
    let sql = "SELECT position, epoch, count, chain, body FROM journal WHERE position > ?1 ORDER BY position";
    let mut select = db.prepare_cached(sql).map_err(Fault::Unreadable)?;
    let mut found = select.query([integer(after)]).map_err(Fault::Unreadable)?;
    let (mut rows, mut bytes) = (Vec::new(), 0);
    while rows.len() < CHUNK_ROWS && bytes < CHUNK_BYTES {
        // What was read before the trouble is given first; the trouble is met again behind it.
        let next = found.next().and_then(|row| row.map(stored).transpose());
        match next {
            Ok(Some((row, chain))) => {
                bytes += row.body.len();
                rows.push((row, chain));
            }
            Ok(None) => break,
            Err(_) if !rows.is_empty() => break,
            Err(error) => return Err(Fault::Unreadable(error)),
        }
    }
    Ok(rows)
}

/// The row that begins at or before `position`: its first position, and its end as stored.
pub(super) fn row_at(db: &Connection, position: Position) -> rusqlite::Result<Option<(Position, Tip)>> {
    let sql = "SELECT position, epoch, count, chain FROM journal WHERE position <= ?1 ORDER BY position DESC LIMIT 1";
    let mut select = db.prepare_cached(sql)?;
    let row = select.query_row([integer(position)], |row| Ok((header(row)?, row.get(3)?))).optional()?;
    Ok(row.map(|(row, chain)| (row.first, Tip { position: row.last(), epoch: row.epoch, chain: Chain(chain) })))
}

/// The end of the last row as stored.
pub(super) fn end(db: &Connection) -> rusqlite::Result<Option<Tip>> {
    Ok(row_at(db, Position(u64::MAX))?.map(|(_, tip)| tip))
}

/// Says whether an error means that the file is not what was written, rather than that it cannot be reached.
pub(super) fn is_damage(error: &rusqlite::Error) -> bool {
    use rusqlite::ErrorCode::{
        CannotOpen, DatabaseBusy, DatabaseLocked, DiskFull, OutOfMemory, PermissionDenied, ReadOnly,
    };
    if let rusqlite::Error::SqliteFailure(inner, _) = error
        && inner.code == rusqlite::ErrorCode::SystemIoFailure
    {
        use rusqlite::ffi::{SQLITE_IOERR_CORRUPTFS, SQLITE_IOERR_DATA, SQLITE_IOERR_READ, SQLITE_IOERR_SHORT_READ};
        let unread = [SQLITE_IOERR_READ, SQLITE_IOERR_SHORT_READ, SQLITE_IOERR_CORRUPTFS, SQLITE_IOERR_DATA];
        return unread.contains(&inner.extended_code);
    }
    let code = error.sqlite_error_code();
    let unreachable = [CannotOpen, DatabaseBusy, DatabaseLocked, DiskFull, OutOfMemory, PermissionDenied, ReadOnly];
    !code.is_some_and(|code| unreachable.contains(&code))
}

fn open(path: &Path, flags: OpenFlags) -> Result<Connection, OpenError> {
    let db = Connection::open_with_flags(path, flags).map_err(failed(path, "open"))?;
    allow_checkpoint_on_close(&db, false).map_err(failed(path, "set up"))?;
    db.busy_timeout(BUSY).map_err(failed(path, "set up"))?;
    Ok(db)
}

/// Nothing was ever put into it, by us or by anyone.
fn is_new(path: &Path, db: &Connection) -> Result<bool, OpenError> {
    let tables = db.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get::<_, i64>(0));
    match tables {
        Ok(tables) => Ok(tables == 0 && pragma(db, "application_id").map_err(failed(path, "read"))? == 0),
        Err(source) if source.sqlite_error_code() == Some(rusqlite::ErrorCode::NotADatabase) => {
            Err(OpenError::Foreign { path: path.to_owned(), found: source.to_string() })
        }
        Err(source) if is_damage(&source) => {
            let dir = path.parent().unwrap_or(path).to_owned();
            Err(Damage { dir, position: Position(1), fault: Fault::Unreadable(source) }.into())
        }
        Err(source) => Err(failed(path, "read")(source)),
    }
}

fn check_identity(path: &Path, db: &Connection) -> Result<(), OpenError> {
    let found = pragma(db, "application_id").map_err(failed(path, "read"))?;
    if found != APPLICATION_ID {
        let found = format!("its application id is {found:#x}, ours is {APPLICATION_ID:#x}");
        return Err(OpenError::Foreign { path: path.to_owned(), found });
    }
    let found = pragma(db, "user_version").map_err(failed(path, "read"))?;
    if !(1..=FORMAT).contains(&found) {
        return Err(OpenError::Newer { path: path.to_owned(), found, known: FORMAT });
    }
    Ok(())
}

/// One transaction makes it ours, so that a crash in between leaves a new file.
fn create(db: &Connection) -> rusqlite::Result<()> {
    db.pragma_update(None, "page_size", PAGE_BYTES as i64)?;
    db.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(()))?;
    db.execute_batch(&format!(
        "BEGIN IMMEDIATE;
         CREATE TABLE journal(
             position INTEGER PRIMARY KEY,
             epoch INTEGER NOT NULL,
             count INTEGER NOT NULL,
             body BLOB NOT NULL,
             chain BLOB NOT NULL
         );
         PRAGMA application_id = {APPLICATION_ID};
         PRAGMA user_version = {FORMAT};
         COMMIT;"
    ))
}

fn tune(db: &Connection) -> rusqlite::Result<()> {
    db.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(()))?;
    db.pragma_update(None, "synchronous", "FULL")?;
    db.pragma_update(None, "cache_size", WRITER_CACHE)?;
    db.pragma_update_and_check(None, "wal_autocheckpoint", 0, |_| Ok(()))?; // journal.rs does, and hears of errors
    db.pragma_update_and_check(None, "journal_size_limit", WAL_KEPT_BYTES, |_| Ok(()))
}

fn pragma(db: &Connection, name: &str) -> rusqlite::Result<i64> {
    db.pragma_query_value(None, name, |row| row.get(0))
}

fn stored(row: &rusqlite::Row<'_>) -> rusqlite::Result<(Row, Chain)> {
    let chain = Chain(row.get(3)?);
    Ok((Row { body: row.get(4)?, ..header(row)? }, chain))
}

fn header(row: &rusqlite::Row<'_>) -> rusqlite::Result<Row> {
    let first = row
        .get(0)
        .and_then(|first| u64::try_from(first).map_err(|_| rusqlite::Error::IntegralValueOutOfRange(0, first)))?;
    Ok(Row { first: Position(first), epoch: Epoch(row.get(1)?), count: row.get(2)?, body: Vec::new() })
}

/// Positions beyond SQLite's integers do not occur: at a million events a second they take 290,000 years.
fn integer(position: Position) -> i64 {
    i64::try_from(position.0).unwrap_or(i64::MAX)
}

fn failed(path: &Path, doing: &'static str) -> impl Fn(rusqlite::Error) -> OpenError {
    move |source| OpenError::Database { path: path.to_owned(), doing, source }
}
