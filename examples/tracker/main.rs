//! A small web application whose users come from Keycloak: OpenID Connect with the authorization code flow and PKCE.
//!
//! Read it in this order: `roles` (who may do what), `provider` (the conversation with Keycloak), `users` (what is kept), `web` (the pages).
//! README.md beside it says how to run it.

mod provider;
mod refusal;
mod roles;
mod settings;
mod signature;
mod users;
mod web;

use std::error::Error;
use std::io::Write;
use std::process::ExitCode;
use std::sync::Arc;

use settings::Settings;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match serve().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "error: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn serve() -> Result<(), Box<dyn Error>> {
    let path = std::env::args().nth(1).ok_or("name the settings: tracker examples/tracker/tracker.yml")?;
    let secret = std::env::var("TRACKER_CLIENT_SECRET").map_err(|_| "give the client's secret in TRACKER_CLIENT_SECRET")?;
    let settings = Settings::read(path.as_ref())?;
    let listener = tokio::net::TcpListener::bind(settings.listen).await?;
    let app = Arc::new(web::App {
        provider: provider::Provider::new(&settings, secret)?,
        users: users::Users::open(&settings.database).await?,
        roles: settings.roles,
        secure: settings.public_url.starts_with("https:"),
        begun: web::Begun::default(),
    });
    writeln!(std::io::stdout(), "listening on http://{}", listener.local_addr()?)?;
    axum::serve(listener, web::routes(app)).await?;
    Ok(())
}
