//! The realm's own row. A PUT keeps much of what it omits, but not all, as was tried field by field on 26.7.3: the device grant, CIBA and pushed
//! requests are set back by each one that does not name them; the policies of OTP and of WebAuthn are replaced whole, and only by one that has
//! `otpPolicyType`, or the name of the relying party. So the row is sent as it was read, with what changes laid over it.

use super::{Body, Executor, Json, Result};

/// What the row shows and other endpoints write, perhaps in this moment.
const ELSEWHERE: [&str; 10] = [
    "adminEventsDetailsEnabled",
    "adminEventsEnabled",
    "clientPolicies",
    "clientProfiles",
    "defaultGroups",
    "defaultRole",
    "enabledEventTypes",
    "eventsEnabled",
    "eventsExpiration",
    "eventsListeners",
];

/// Kept as attributes once they are written, and read as zero or false before that.
const ATTRIBUTES: [&str; 5] = [
    "clientOfflineSessionIdleTimeout",
    "clientOfflineSessionMaxLifespan",
    "clientSessionIdleTimeout",
    "clientSessionMaxLifespan",
    "scimApiEnabled",
];

impl Executor<'_> {
    /// Reads the row and writes it with the fields that `change` answers, if any. One at a time: each writes all of it.
    pub(super) async fn write_row(&self, change: impl FnOnce(&Body) -> Body) -> Result<()> {
        let _alone = self.row.lock().await;
        let read = super::body_of(self.client.get(&self.realm).await?);
        let changed = change(&read);
        if changed.is_empty() {
            return Ok(());
        }
        self.client.put(&self.realm, &laid_over(read, changed).into()).await
    }
}

fn laid_over(mut row: Body, changed: Body) -> Body {
    let attribute = |body: &Body, name: &str| body.get("attributes").and_then(|attributes| attributes.get(name)).cloned();
    let is_attribute = |field: &str, read: Option<Json>| {
        // A field goes over its attribute.
        let is_changed = changed.contains_key("attributes") && attribute(&changed, field) != read;
        ATTRIBUTES.contains(&field) && (read.is_none() || is_changed)
    };
    let left_out: Vec<String> = row.keys().filter(|field| is_attribute(field, attribute(&row, field))).cloned().collect();
    // The passwords of the mail server are masked, and stay when it is not sent.
    row.retain(|field, _| !left_out.contains(field) && !ELSEWHERE.contains(&field.as_str()) && field != "smtpServer");
    row.extend(changed);
    row
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::body_of;
    use super::*;

    #[test]
    fn a_row_is_sent_as_it_was_read_but_for_what_changes_and_what_is_written_elsewhere() {
        let read = json!({"realm": "r", "otpPolicyType": "totp", "otpPolicyDigits": 6, "eventsEnabled": true, "smtpServer": {"password": "***"},
            "clientSessionIdleTimeout": 0, "clientSessionMaxLifespan": 0, "attributes": {"clientSessionMaxLifespan": "0"}});
        let changed = body_of(json!({"otpPolicyDigits": 8}));
        let wanted = json!({"realm": "r", "otpPolicyType": "totp", "otpPolicyDigits": 8, "clientSessionMaxLifespan": 0,
            "attributes": {"clientSessionMaxLifespan": "0"}});
        assert_eq!(laid_over(body_of(read.clone()), changed), body_of(wanted));
        let changed = body_of(json!({"attributes": {"clientSessionMaxLifespan": "9"}}));
        let wanted = json!({"realm": "r", "otpPolicyType": "totp", "otpPolicyDigits": 6, "attributes": {"clientSessionMaxLifespan": "9"}});
        assert_eq!(laid_over(body_of(read), changed), body_of(wanted));
    }
}
