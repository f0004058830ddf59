//! A plan as text: one line an object, one line a field, no secret in it.

use super::Json;
use super::compare::Change;
use super::generated::{Generate, Wanted};
use super::plan::{Action, Operation, Plan};

/// How a changed secret reads.
const SECRET: &str = "(secret, changes)";
/// Longer values are cut.
const WIDEST: usize = 120;

/// The whole plan: a block for each object, then the summary.
pub fn text(plan: &Plan) -> String {
    let mut out = String::new();
    for action in &plan.actions {
        out.push_str(&block(action, &plan.realm));
    }
    if let Some(generated) = &plan.generated {
        out.push_str(&handed_out(generated));
    }
    if !out.is_empty() {
        out.push('\n');
    }
    out.push_str(&format!(" {}\n", summary(plan)));
    out
}

/// `1 to add, 2 to change, 1 to delete, 212 the same`
pub fn summary(plan: &Plan) -> String {
    let changed = plan.count(Operation::Update) + plan.count(Operation::Rebuild) + plan.count(Operation::Move);
    let secrets = plan.generated.as_ref().map_or(0, |generated| generated.secrets.len());
    let secrets = if secrets == 0 { String::new() } else { format!(", {secrets} to hand out") };
    format!(
        "{} to add, {changed} to change, {} to delete, {} the same{secrets}",
        plan.count(Operation::Create),
        plan.count(Operation::Delete),
        plan.same
    )
}

/// The file, and a line for each secret that it gets.
fn handed_out(generated: &Generate) -> String {
    let kept = if generated.vault { "encrypted" } else { "mode 0600" };
    let width = generated.secrets.keys().map(|variable| variable.chars().count()).max().unwrap_or(0);
    let line = |(variable, wanted): (&String, &Wanted)| format!("     {variable:width$}   {}\n", wanted.described());
    format!(" + {}   handed out once, {kept}\n", generated.file) + &generated.secrets.iter().map(line).collect::<String>()
}

/// What an object is called in a plan: the realm by its own name.
pub fn title(action: &Action, realm: &str) -> String {
    let noun = action.name.to_string();
    if noun == "realm" { format!("realm {realm}") } else { noun }
}

fn block(action: &Action, realm: &str) -> String {
    let sign = match action.operation {
        Operation::Create => '+',
        Operation::Update => '~',
        Operation::Rebuild | Operation::Move => '→',
        Operation::Delete => '-',
    };
    let note = action.note.as_deref().map(|note| format!("   {note}")).unwrap_or_default();
    let mut out = format!(" {sign} {}{note}\n", title(action, realm));
    let shown = matches!(action.operation, Operation::Update | Operation::Rebuild | Operation::Move);
    let width = action.changes.iter().map(|change| change.path.chars().count()).max().unwrap_or(0).min(40);
    for change in action.changes.iter().filter(|_| shown) {
        out.push_str(&field(change, width));
    }
    out
}

fn field(change: &Change, width: usize) -> String {
    let path = format!("{:width$}", change.path);
    if change.secret {
        return format!("     {path}   {SECRET}\n");
    }
    match (&change.old, &change.new) {
        (old, Json::Array(new)) if old.is_array() || old.is_null() => {
            let old = old.as_array().cloned().unwrap_or_default();
            let added = new.iter().filter(|item| !old.contains(item)).map(|item| format!("+ {}", value(item)));
            let gone = old.iter().filter(|item| !new.contains(item)).map(|item| format!("- {}", value(item)));
            let lines: Vec<String> = added.chain(gone).collect();
            let lines = if lines.is_empty() { vec!["order changes".to_owned()] } else { lines };
            let margin = format!("\n     {:width$}   ", "");
            format!("     {path}   {}\n", lines.join(&margin))
        }
        (Json::Null, new) => format!("     {path}   {}\n", value(new)),
        (old, new) => format!("     {path}   {} → {}\n", value(old), value(new)),
    }
}

fn value(json: &Json) -> String {
    let text = match json {
        Json::String(text) if text.is_empty() => "\"\"".to_owned(),
        Json::String(text) => text.clone(),
        Json::Null => "(none)".to_owned(),
        other => other.to_string(),
    };
    if text.chars().count() <= WIDEST { text } else { text.chars().take(WIDEST).chain(['…']).collect() }
}

/// Before and after, as Ansible's `--diff` shows them: the fields that change, one a line.
pub fn before_and_after(plan: &Plan) -> (String, String) {
    let (mut before, mut after) = (String::new(), String::new());
    for action in &plan.actions {
        let name = title(action, &plan.realm);
        match action.operation {
            Operation::Create => after.push_str(&format!("{name}\n")),
            Operation::Delete => before.push_str(&format!("{name}\n")),
            Operation::Update | Operation::Rebuild | Operation::Move => {
                before.push_str(&format!("{name}\n"));
                after.push_str(&format!("{name}\n"));
            }
        }
        for change in &action.changes {
            let (old, new) = match change.secret {
                true => ("(secret)".to_owned(), SECRET.to_owned()),
                false => (value(&change.old), value(&change.new)),
            };
            if action.operation != Operation::Create && !change.old.is_null() {
                before.push_str(&format!("  {}: {old}\n", change.path));
            }
            after.push_str(&format!("  {}: {new}\n", change.path));
        }
    }
    if let Some(generated) = &plan.generated {
        after.push_str(&handed_out(generated));
    }
    (before, after)
}
