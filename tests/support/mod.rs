//! What the behaviour tests share.

pub mod browser;
pub mod http;
pub mod lab;
pub mod oracle;
pub mod run;
pub mod site;
pub mod tracker;

/// Tests that run a Keycloak take turns: two at once are too much for two processors, and what they wait for comes too late.
pub fn turn() -> std::sync::MutexGuard<'static, ()> {
    static TURN: std::sync::Mutex<()> = std::sync::Mutex::new(());
    TURN.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}
