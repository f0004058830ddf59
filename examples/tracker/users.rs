//! What is kept of users, in one SQLite table: it outlives a restart, and the database itself holds to the rule that an e-mail address
//! belongs to one user, also between two logins at the same moment.

use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use sha2::{Digest, Sha256};
use sqlx::sqlite::{SqliteConnectOptions, SqlitePool};

use crate::provider::{Identity, random};
use crate::refusal::{Refusal, Result};
use crate::roles::Role;

/// One session a user. The token itself is only with the browser: who reads this table cannot log in with it.
const TABLE: &str = "CREATE TABLE IF NOT EXISTS users (
    sub TEXT PRIMARY KEY,
    email TEXT NOT NULL UNIQUE COLLATE NOCASE,
    username TEXT NOT NULL,
    role INTEGER NOT NULL CHECK (role BETWEEN 1 AND 4),
    session TEXT UNIQUE,
    session_ends INTEGER NOT NULL
) STRICT";

/// How long a session lasts, in seconds.
pub const SESSION: u32 = 8 * 60 * 60;

/// The columns `sub, email, username, role`.
type Row = (String, String, String, i64);

pub struct Users(SqlitePool);

pub struct User {
    pub sub: String,
    pub email: String,
    pub username: String,
    pub role: Role,
}

impl Users {
    pub async fn open(path: &Path) -> Result<Users> {
        let pool = SqlitePool::connect_with(SqliteConnectOptions::new().filename(path).create_if_missing(true)).await?;
        sqlx::query(TABLE).execute(&pool).await?;
        Ok(Users(pool))
    }

    /// Makes the user at the first login, and refreshes name, e-mail and role at every one. Gives a new session token; an older one of the
    /// user ends with it.
    pub async fn log_in(&self, identity: &Identity, role: Role) -> Result<String> {
        let token = random();
        let written = sqlx::query(
            "INSERT INTO users (sub, email, username, role, session, session_ends) VALUES (?, ?, ?, ?, ?, ?)
             ON CONFLICT (sub) DO UPDATE SET email = excluded.email, username = excluded.username, role = excluded.role,
                 session = excluded.session, session_ends = excluded.session_ends",
        )
        .bind(&identity.sub)
        .bind(&identity.email)
        .bind(&identity.username)
        .bind(role.number())
        .bind(hash(&token))
        .bind(now() + i64::from(SESSION))
        .execute(&self.0)
        .await;
        match written {
            Ok(_) => Ok(token),
            Err(sqlx::Error::Database(error)) if error.is_unique_violation() => {
                Err(Refusal::Denied(format!("the e-mail address {} belongs to another user here", identity.email)))
            }
            Err(error) => Err(error.into()),
        }
    }

    pub async fn by_session(&self, token: &str) -> Result<Option<User>> {
        let query = sqlx::query_as("SELECT sub, email, username, role FROM users WHERE session = ? AND session_ends > ?");
        query.bind(hash(token)).bind(now()).fetch_optional(&self.0).await?.map(User::read).transpose()
    }

    /// Whatever session the user has, it ends.
    pub async fn log_out(&self, sub: &str) -> Result<()> {
        sqlx::query("UPDATE users SET session = NULL WHERE sub = ?").bind(sub).execute(&self.0).await?;
        Ok(())
    }

    pub async fn all(&self) -> Result<Vec<User>> {
        let query = sqlx::query_as("SELECT sub, email, username, role FROM users ORDER BY username");
        query.fetch_all(&self.0).await?.into_iter().map(User::read).collect()
    }
}

impl User {
    fn read((sub, email, username, role): Row) -> Result<User> {
        let role = Role::numbered(role).ok_or_else(|| sqlx::Error::Decode(format!("there is no role {role}").into()))?;
        Ok(User { sub, email, username, role })
    }
}

fn hash(token: &str) -> String {
    hex::encode(Sha256::digest(token))
}

fn now() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs() as i64)
}
