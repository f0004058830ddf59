//! Where a task runs and as whom: its host or the one it is delegated to, how that one is reached, and who does it there.

use std::sync::Arc;

use crate::base::Diagnostic;

use super::becoming;
use super::connections::{Defaults, Place, Reader, destination};
use super::keywords::TaskKeywords;
use super::state::{Run, read};
use super::variables::HostScope;

/// Where the task runs and as whom.
pub fn place(run: &Arc<Run>, scope: &HostScope, keywords: &TaskKeywords<'_>) -> Result<Place, Diagnostic> {
    let settings = &run.request.settings;
    let delegated = keywords.text("delegate_to")?;
    let target = match &delegated {
        Some(name) => {
            let known = read(&run.inventory).host(name).map(|host| host.name.clone());
            let host = run.host(&known.unwrap_or_else(|| name.as_str().into()));
            HostScope { host, ..scope.clone() }
        }
        None => scope.clone(),
    };
    let name = target.host.name.clone();
    let is_implicit = read(&run.inventory).host(&name).is_none_or(|host| host.is_implicit);
    let is_implicit = is_implicit && crate::inventory::LOCALHOST.contains(&name.as_ref());
    let context = target.context();
    let reader = Reader { context: &context, templar: &run.templar, variables: &target };
    let defaults = Defaults {
        connection: match delegated {
            // A delegated task goes where its host is; the play's `connection` is about the play's own hosts.
            Some(_) => None,
            None => keywords.text("connection")?,
        },
        user: keywords.text("remote_user")?,
        port: keywords.number("port")?.map(|port| port as u16),
        password: run.request.connection_password.clone(),
        control_folder: run.control_folder(),
        folder: run.playbook_folder(scope.play.as_ref().map_or("", |play| &play.file)),
    };
    let destination = destination(&name, is_implicit, &reader, settings, &defaults)?;
    Ok(Place { lane: scope.host.name.clone(), becoming: becoming::read(run, keywords, &reader, &destination)?, destination })
}
