//! A dry run before its realm is there. An earlier task of it would have made the realm, or what is missed in it: what cannot be compared yet
//! is predicted as a change.

use super::options::Fields;
use super::{Face, RECORD, declaration, mark, masked};
use crate::base::Value;
use crate::keycloak::model::Model;
use crate::keycloak::{Client, Error, blocking};
use crate::modules::Output;
use crate::modules::keycloak::connection::ACCOUNT;
use crate::system::{Failure, Result, System};

pub(super) use crate::modules::keycloak::realm::RECORD as REALM;

/// What the realm is called in records.
pub fn place(client: &Client, realm: &str) -> String {
    client.url(&format!("/{realm}"))
}

/// Where a task could not do its work, and who it came as.
pub struct Promised<'a> {
    pub client: &'a Client,
    /// What the account is called in records.
    pub account: &'a str,
}

impl Promised<'_> {
    /// What the task would do once the realm is as promised.
    ///
    /// # Errors
    /// `failure`, when nothing was promised or the account is refused; and options that are wrong whatever the realm has.
    pub fn predict<F: Face>(&self, given: &Fields, sys: &mut System, failure: Failure) -> Result<Output> {
        let realm = F::realm(given);
        let known = |kind: &str, name: &str| sys.query_record(kind, name, || Ok(None));
        let is_promised = known(REALM, &place(self.client, &realm))?.is_some();
        if !is_promised || (self.is_refused() && known(ACCOUNT, self.account)?.is_none()) {
            return Err(failure);
        }
        let (asked, declaration) = declaration(F::ask(given, &Model::default())?, &realm)?;
        let target = asked.target.as_ref().and_then(|name| declaration.model.get(name.kind, &name.key));
        let proposed = Value::from_json(masked(target.map(|object| object.body.clone()).unwrap_or_default().into()));
        let output = Output::new().with("proposed", proposed.clone()).with("end_state", proposed);
        if F::READS || given.is_absent() {
            return Ok(output.message(format!("realm {realm} is not there yet")));
        }
        let (done, mark) = (super::place::<F>(&realm), mark(given));
        if known(RECORD, &done)? != Some(mark.clone()) {
            sys.mutate_record(RECORD, &done, Some(mark), || Err(failure))?;
        }
        Ok(output.message(format!("{} will be made when realm {realm} is there", asked.what)))
    }

    /// It is there, and does not know the account.
    fn is_refused(&self) -> bool {
        matches!(blocking::run(|| self.client.log_in()), Err(Error::Credentials { .. }))
    }
}

#[cfg(test)]
mod tests {
    use crate::modules::testing::Machine;
    use crate::system::Overlay;

    const LOGIN: &str = "auth_keycloak_url: 'http://127.0.0.1:9', auth_client_id: a, auth_client_secret: b, realm: staff";

    #[test]
    fn what_needs_a_realm_is_predicted_after_the_task_that_makes_it() {
        let role = format!("community.general.keycloak_role: {{ {LOGIN}, name: reader }}");
        let mut machine = Machine::new(Overlay::empty());
        assert!(machine.refusal(&role).contains("does not answer"), "nobody promised the realm");
        let theirs = format!("community.general.keycloak_realm: {{ {LOGIN} }}");
        let mut other = Machine::new(Overlay::empty());
        other.task(&theirs).expect("is predicted");
        assert_eq!(other.task(&role).expect("is predicted").effects.len(), 1);
        let realm = "{ url: 'http://127.0.0.1:9', auth_client_id: a, auth_client_secret: b, realm: { realm: staff } }";
        machine.task(&format!("hostler.keycloak.realm: {realm}")).expect("is predicted");
        assert_eq!(machine.task(&role).expect("is predicted").effects.len(), 1);
        let gone = machine.task(&format!("community.general.keycloak_role: {{ {LOGIN}, name: reader, state: absent }}"));
        assert_eq!(gone.expect("is predicted").effects.len(), 0, "what is not there is gone");
        let info = machine.task(&format!("community.general.keycloak_realm_info: {{ {LOGIN} }}"));
        assert_eq!(info.expect("is predicted").effects.len(), 0);
        let permission = "client_id: api, name: see, permission_type: scope";
        let wrong = machine.refusal(&format!("community.general.keycloak_authz_permission: {{ {LOGIN}, {permission} }}"));
        assert!(wrong.contains("at least one of `scopes`"), "{wrong}");
    }
}
