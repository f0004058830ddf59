//! Where the journal is kept: SQLite in the user's state folder, or PostgreSQL for a team. The same tables and the same SQL in both.
//! The calls wait for the database: they are for the journal's own thread and for commands that only read.

use std::fs::{DirBuilder, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use sqlx::{ConnectOptions, Connection, PgConnection, SqliteConnection};
use tokio::runtime::Runtime;

use crate::base::Diagnostic;

use super::event::{Event, Recap, RunStarted};

const SCHEMA: &[&str] = &[
    "CREATE TABLE IF NOT EXISTS runs (
        id TEXT PRIMARY KEY,
        started BIGINT NOT NULL,
        finished BIGINT,
        exit_code BIGINT,
        body TEXT NOT NULL,
        recap TEXT
    )",
    "CREATE TABLE IF NOT EXISTS events (
        run TEXT NOT NULL,
        number BIGINT NOT NULL,
        time BIGINT NOT NULL,
        body TEXT NOT NULL,
        PRIMARY KEY (run, number)
    )",
];

enum Database {
    Sqlite(SqliteConnection),
    Postgres(PgConnection),
}

/// The same statement on whichever database it is.
macro_rules! on {
    ($database:expr, $connection:ident => $statement:expr) => {
        match $database {
            Database::Sqlite($connection) => $statement,
            Database::Postgres($connection) => $statement,
        }
    };
}

/// An open history.
pub struct Store {
    runtime: Runtime,
    database: Database,
    /// The run that is being written, and the number of its next event.
    writing: Option<(Arc<str>, i64)>,
    place: String,
}

/// A run as the history lists it.
#[derive(Clone, Debug)]
pub struct Run {
    pub started: RunStarted,
    /// Milliseconds since the epoch; none when the run was cut off, or still goes on.
    pub finished: Option<i64>,
    pub exit_code: Option<i64>,
    pub recap: Option<Recap>,
}

/// An event with the time it was written, in milliseconds since the epoch.
#[derive(Clone, Debug)]
pub struct Kept {
    pub time: i64,
    pub event: Event,
}

impl Store {
    /// Opens the history in this file, and makes it (0600, its folder 0700) when it is not there.
    ///
    /// # Errors
    /// The file cannot be made, or is no history.
    pub fn open(file: &Path) -> Result<Store, Diagnostic> {
        let place = file.to_string_lossy().into_owned();
        make_file(file).map_err(|error| failed(&place, "cannot be made", &error))?;
        let runtime = runtime(&place)?;
        let options = SqliteConnectOptions::new()
            .filename(file)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            // In WAL mode a commit survives the end of this process; `durable` makes it survive the machine's.
            .synchronous(SqliteSynchronous::Normal)
            .busy_timeout(Duration::from_secs(10))
            .disable_statement_logging();
        let connection = runtime.block_on(options.connect()).map_err(|error| failed(&place, "cannot be opened", &error))?;
        Store { runtime, database: Database::Sqlite(connection), writing: None, place }.with_tables()
    }

    /// Opens the history in a PostgreSQL database.
    ///
    /// # Errors
    /// The database does not answer or refuses. The message does not show the URL, which may hold a password.
    pub fn connect(url: &str) -> Result<Store, Diagnostic> {
        let place = url.rsplit_once('@').map_or("the history database", |(_, rest)| rest).to_owned();
        let runtime = runtime(&place)?;
        let connection = runtime.block_on(PgConnection::connect(url)).map_err(|error| failed(&place, "cannot be opened", &error))?;
        Store { runtime, database: Database::Postgres(connection), writing: None, place }.with_tables()
    }

    fn with_tables(mut self) -> Result<Store, Diagnostic> {
        for statement in SCHEMA {
            let database = &mut self.database;
            self.runtime
                .block_on(async { on!(database, connection => sqlx::query(*statement).execute(connection).await.map(|_| ())) })
                .map_err(|error| failed(&self.place, "cannot be set up", &error))?;
        }
        Ok(self)
    }

    /// Four hexadecimal digits that no run has yet; more of them when all of those are taken.
    ///
    /// # Errors
    /// The history cannot be read.
    pub fn new_id(&mut self) -> Result<String, Diagnostic> {
        for attempt in 0.. {
            let id = random_id(4 + attempt / 16);
            if self.find(&id)?.is_none() {
                return Ok(id);
            }
        }
        Err(Diagnostic::error("no free run id"))
    }

    /// Writes events in one transaction. The first event of a run is `RunStarted`.
    ///
    /// # Errors
    /// The database refuses; then none of the events was written.
    pub fn append(&mut self, events: &[Event]) -> Result<(), Diagnostic> {
        let (database, writing) = (&mut self.database, &mut self.writing);
        let written = self.runtime.block_on(async {
            let before = writing.clone();
            execute(database, "BEGIN").await?;
            match append_all(database, writing, events).await {
                Ok(()) => execute(database, "COMMIT").await?,
                Err(problem) => {
                    *writing = before;
                    execute(database, "ROLLBACK").await?;
                    return Err(problem);
                }
            }
            if matches!(database, Database::Sqlite(_)) && events.iter().any(must_survive_power_loss) {
                execute(database, "PRAGMA wal_checkpoint(PASSIVE)").await?;
            }
            Ok(())
        });
        written.map_err(|error| failed(&self.place, "cannot be written", &error))
    }

    /// The newest runs first.
    ///
    /// # Errors
    /// The history cannot be read.
    pub fn runs(&mut self, limit: i64) -> Result<Vec<Run>, Diagnostic> {
        // Every id is after the empty text.
        self.select("SELECT body, finished, exit_code, recap FROM runs WHERE id >= $2 ORDER BY started DESC, id LIMIT $1", limit, "")
    }

    /// The run with this id, or the only one whose id begins so; `last` is the newest.
    ///
    /// # Errors
    /// The history cannot be read.
    pub fn find(&mut self, id: &str) -> Result<Option<Run>, Diagnostic> {
        if id == "last" {
            return Ok(self.runs(1)?.pop());
        }
        let exact = "SELECT body, finished, exit_code, recap FROM runs WHERE id = $2 LIMIT $1";
        if let Some(run) = self.select(exact, 1, id)?.pop() {
            return Ok(Some(run));
        }
        let prefix = "SELECT body, finished, exit_code, recap FROM runs WHERE substr(id, 1, length($2)) = $2 LIMIT $1";
        let mut runs = if id.is_empty() { Vec::new() } else { self.select(prefix, 2, id)? };
        Ok(if runs.len() == 1 { runs.pop() } else { None })
    }

    fn select(&mut self, statement: &'static str, limit: i64, id: &str) -> Result<Vec<Run>, Diagnostic> {
        type Row = (String, Option<i64>, Option<i64>, Option<String>);
        let database = &mut self.database;
        let rows: Vec<Row> = self
            .runtime
            .block_on(async { on!(database, connection => sqlx::query_as(statement).bind(limit).bind(id).fetch_all(connection).await) })
            .map_err(|error| failed(&self.place, "cannot be read", &error))?;
        let run = |(body, finished, exit_code, recap): Row| {
            let started = serde_json::from_str(&body)?;
            let recap = recap.map(|recap| serde_json::from_str(&recap)).transpose()?;
            Ok(Run { started, finished, exit_code, recap })
        };
        rows.into_iter()
            .map(run)
            .collect::<Result<_, serde_json::Error>>()
            .map_err(|error| failed(&self.place, "holds a run of another version", &error))
    }

    /// The events of a run, in order.
    ///
    /// # Errors
    /// The history cannot be read, or was written by another version.
    pub fn events(&mut self, run: &str) -> Result<Vec<Kept>, Diagnostic> {
        let database = &mut self.database;
        let statement = "SELECT time, body FROM events WHERE run = $1 ORDER BY number";
        let rows: Vec<(i64, String)> = self
            .runtime
            .block_on(async { on!(database, connection => sqlx::query_as(statement).bind(run).fetch_all(connection).await) })
            .map_err(|error| failed(&self.place, "cannot be read", &error))?;
        rows.into_iter()
            .map(|(time, body)| Ok(Kept { time, event: serde_json::from_str(&body)? }))
            .collect::<Result<_, serde_json::Error>>()
            .map_err(|error| failed(&self.place, "holds an event of another version", &error))
    }

    /// Ends the connection in good order. What was appended is safe without it.
    pub fn close(self) {
        let Store { runtime, database, .. } = self;
        let _nothing_to_lose: Result<(), sqlx::Error> = runtime.block_on(async { on!(database, connection => connection.close().await) });
    }
}

/// Why events could not be appended.
#[derive(Debug, thiserror::Error)]
enum Problem {
    #[error("{0}")]
    Database(#[from] sqlx::Error),
    #[error("{0}")]
    Encoding(#[from] serde_json::Error),
    #[error("an event came before the start of its run")]
    NotStarted,
}

async fn execute(database: &mut Database, statement: &'static str) -> Result<(), Problem> {
    on!(database, connection => sqlx::raw_sql(statement).execute(connection).await.map(|_| ()))?;
    Ok(())
}

async fn append_all(database: &mut Database, writing: &mut Option<(Arc<str>, i64)>, events: &[Event]) -> Result<(), Problem> {
    let now = milliseconds_now();
    for event in events {
        if let Event::RunStarted(run) = event {
            *writing = Some((run.id.clone(), 0));
            let body = serde_json::to_string(run)?;
            let statement = "INSERT INTO runs (id, started, body) VALUES ($1, $2, $3)";
            on!(database, connection => sqlx::query(statement).bind(&*run.id).bind(now).bind(body).execute(connection).await.map(|_| ()))?;
        }
        let Some((id, number)) = writing else { return Err(Problem::NotStarted) };
        let body = serde_json::to_string(event)?;
        let statement = "INSERT INTO events (run, number, time, body) VALUES ($1, $2, $3, $4)";
        on!(database, connection => sqlx::query(statement).bind(&**id).bind(*number).bind(now).bind(body).execute(connection).await.map(|_| ()))?;
        *number += 1;
        match event {
            Event::Recap(recap) => {
                let recap = serde_json::to_string(recap)?;
                let statement = "UPDATE runs SET recap = $1 WHERE id = $2";
                on!(database, connection => sqlx::query(statement).bind(recap).bind(&**id).execute(connection).await.map(|_| ()))?;
            }
            Event::RunFinished { exit_code, .. } => {
                let code = i64::from(*exit_code);
                let statement = "UPDATE runs SET finished = $1, exit_code = $2 WHERE id = $3";
                on!(database, connection => sqlx::query(statement).bind(now).bind(code).bind(&**id).execute(connection).await.map(|_| ()))?;
            }
            _ => {}
        }
    }
    Ok(())
}

/// Failures and the end of a run are worth a wait for the disk.
fn must_survive_power_loss(event: &Event) -> bool {
    match event {
        Event::HostResult(result) => result.is_fatal(),
        Event::RunFinished { .. } => true,
        _ => false,
    }
}

/// Random hexadecimal digits: a run id for those who keep no history.
pub fn random_id(digits: usize) -> String {
    (0..digits).map(|_| char::from_digit(rand::random_range(0..16), 16).unwrap_or('0')).collect()
}

/// The file of the history, for a `HOSTLER_STATE` and a home.
pub fn default_file(state: Option<&Path>, xdg_state_home: Option<&Path>, home: &Path) -> PathBuf {
    let folder = match (state, xdg_state_home) {
        (Some(folder), _) => folder.to_path_buf(),
        (None, Some(folder)) => folder.join("hostler"),
        (None, None) => home.join(".local/state/hostler"),
    };
    folder.join("history.db")
}

fn make_file(file: &Path) -> io::Result<()> {
    if let Some(folder) = file.parent().filter(|folder| !folder.exists()) {
        DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    }
    // SQLite gives its other files the mode of this one.
    OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(file).map(|_| ())
}

fn runtime(place: &str) -> Result<Runtime, Diagnostic> {
    tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|error| failed(place, "cannot be opened", &error))
}

fn milliseconds_now() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| i64::try_from(time.as_millis()).unwrap_or(i64::MAX))
}

fn failed(place: &str, what: &str, error: &dyn std::fmt::Display) -> Diagnostic {
    Diagnostic::error(format!("the history `{place}` {what}: {error}"))
        .help("set HOSTLER_STATE to another folder, or run with --no-history")
}

#[cfg(test)]
mod tests;
