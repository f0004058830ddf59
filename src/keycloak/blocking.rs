//! The way in for callers that are not async: modules.

use std::future::Future;

use super::error::{Error, Result};

/// Runs a future to its end on a thread of its own, so that it does not matter whether the caller stands in a runtime. The future is made
/// there, so it need not be `Send`.
///
/// # Errors
/// Those of the future; or when no thread can be had.
pub fn run<T: Send, F: Future<Output = Result<T>>>(work: impl FnOnce() -> F + Send) -> Result<T> {
    let no_thread = |cause: std::io::Error| Error::Refused(format!("cannot start a thread for the requests to Keycloak: {cause}"));
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().name("keycloak".into()).spawn_scoped(scope, || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(no_thread)?;
            runtime.block_on(work())
        });
        thread.map_err(no_thread)?.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}
