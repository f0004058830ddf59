//! `community.postgresql.postgresql_query`: statements of the user's own.

use crate::base::{Map, Value};
use crate::modules::{Module, Output, Rule, module_args};
use crate::system::postgres::{PostgresRows, quoted_name, quoted_text};
use crate::system::{Failure, Result, System};

use super::connection::ConnectionArgs;

pub struct PostgresqlQuery;

module_args! {
    /// Runs SQL statements. Arguments are put in place of `%s` or `%(name)s`, quoted.
    pub struct QueryArgs {
        /// The statement, or several.
        query: Value,
        /// Values for `%s`, in order.
        positional_args: Option<Vec<Value>>,
        /// Values for `%(name)s`.
        named_args: Option<Map>,
        /// Database to connect to.
        login_db | "db": String = "postgres",
        /// Schemas to look for names in.
        search_path: Option<Vec<String>>,
    }
    accepts {
        /// Run each statement outside a transaction, which happens in any case.
        autocommit: bool,
        /// Encoding of the connection, which is UTF-8.
        encoding: String,
        /// Whether a script is one statement.
        as_single_query: bool,
    }
    flatten { connection: ConnectionArgs }
    rules [Rule::Exclusive(&["positional_args", "named_args"])]
}

impl Module for PostgresqlQuery {
    const NAME: &'static str = "community.postgresql.postgresql_query";
    type Args = QueryArgs;

    fn run(args: QueryArgs, sys: &mut System) -> Result<Output> {
        let login = args.connection.login();
        let given: Vec<String> = match &args.query {
            Value::List(items) => items.iter().map(Value::to_text).collect(),
            other => vec![other.to_text()],
        };
        let path = args.search_path.as_ref().map(|names| names.iter().map(|name| quoted_name(name.trim())).collect::<Vec<_>>().join(", "));
        let path = path.map_or_else(String::new, |names| format!("SET search_path TO {names}; "));
        let (mut results, mut touched) = (Vec::new(), 0);
        let mut changed = false;
        let mut last = String::new();
        for query in &given {
            let sql = filled(query, args.positional_args.as_deref(), args.named_args.as_ref())?;
            let sql = sql.trim().trim_end_matches(';');
            last = sql.to_owned();
            let whole = format!("{path}{sql}");
            if reads_only(sql) {
                let found = sys.query_postgres(&login, &args.login_db, &whole)?.unwrap_or_default();
                touched += found.touched;
                results.push(rows(&found));
                continue;
            }
            let mut outcome = PostgresRows::default();
            let returns_rows = sql.to_uppercase().contains("RETURNING");
            let mut done = 0;
            sys.mutate_record("postgres statement", &whole, Some(Value::Bool(true)), || {
                if returns_rows {
                    outcome = login.fetch(&args.login_db, &whole)?;
                    done = outcome.touched;
                } else {
                    done = login.execute(&args.login_db, &whole)?;
                }
                Ok(())
            })?;
            touched += done;
            changed |= done > 0 || !counts_rows(sql) || sys.backend().is_dry();
            results.push(rows(&outcome));
        }
        let verb = last.split_whitespace().next().unwrap_or_default().to_uppercase();
        let all = Value::list(results.clone());
        Ok(Output::new()
            .with("query", last)
            .with("changed", changed)
            .with("query_list", Value::list(given))
            .with("query_result", results.pop().unwrap_or_default())
            .with("query_all_results", all)
            .with("rowcount", touched)
            .with("statusmessage", format!("{verb} {touched}"))
            .with("execution_time_ms", Value::list(Vec::<Value>::new())))
    }
}

/// Whether a statement changes the rows that it counts, and nothing when it counts none.
fn counts_rows(sql: &str) -> bool {
    let first = sql.split_whitespace().next().unwrap_or_default().to_uppercase();
    matches!(first.as_str(), "INSERT" | "UPDATE" | "DELETE" | "MERGE" | "COPY")
}

fn reads_only(sql: &str) -> bool {
    let first = sql.split(|c: char| !c.is_ascii_alphabetic()).find(|word| !word.is_empty()).unwrap_or_default().to_uppercase();
    match first.as_str() {
        "SELECT" | "TABLE" | "VALUES" => !sql.to_uppercase().split_whitespace().any(|word| word == "INTO"),
        "SHOW" | "EXPLAIN" => true,
        _ => false,
    }
}

/// The statement with its placeholders filled; `%%` is a percent sign when there are arguments.
fn filled(query: &str, positional: Option<&[Value]>, named: Option<&Map>) -> Result<String> {
    if positional.is_none() && named.is_none() {
        return Ok(query.to_owned());
    }
    let mut values = positional.unwrap_or_default().iter();
    let mut out = String::new();
    let mut rest = query;
    while let Some(place) = rest.find('%') {
        out.push_str(&rest[..place]);
        let after = &rest[place + 1..];
        if let Some(tail) = after.strip_prefix('%') {
            out.push('%');
            rest = tail;
        } else if let Some(tail) = after.strip_prefix('s') {
            let value =
                values.next().ok_or_else(|| Failure::new("there are more placeholders than positional_args").at("positional_args"))?;
            out.push_str(&literal(value));
            rest = tail;
        } else if let Some((name, tail)) = after.strip_prefix('(').and_then(|inner| inner.split_once(")s")) {
            let value = named.and_then(|named| named.get(name));
            let value = value
                .ok_or_else(|| Failure::new(format!("the statement names `{name}`, which named_args does not have")).at("named_args"))?;
            out.push_str(&literal(value));
            rest = tail;
        } else {
            out.push('%');
            rest = after;
        }
    }
    out.push_str(rest);
    Ok(out)
}

fn literal(value: &Value) -> String {
    match value {
        Value::Null => "NULL".into(),
        Value::Bool(flag) => flag.to_string(),
        Value::Int(_) | Value::Float(_) => value.to_text(),
        Value::List(items) => format!("ARRAY[{}]", items.iter().map(literal).collect::<Vec<_>>().join(", ")),
        Value::Map(_) => quoted_text(&value.to_json().to_string()),
        other => quoted_text(&other.to_text()),
    }
}

/// Rows as mappings; numbers and booleans by the type that the server says.
fn rows(found: &PostgresRows) -> Value {
    let typed = |text: Option<&String>, kind: Option<&String>| match (text, kind.map(String::as_str)) {
        (None, _) => Value::Null,
        (Some(text), Some("INT2" | "INT4" | "INT8" | "OID")) => text.parse::<i64>().map_or_else(|_| text.into(), Value::Int),
        (Some(text), Some("FLOAT4" | "FLOAT8")) => text.parse::<f64>().map_or_else(|_| text.into(), Value::Float),
        (Some(text), Some("BOOL")) => Value::Bool(text == "t"),
        (Some(text), Some("JSON" | "JSONB")) => serde_json::from_str(text).map_or_else(|_| text.into(), Value::from_json),
        (Some(text), _) => text.into(),
    };
    Value::list(found.rows.iter().map(|row| {
        let columns = found.columns.iter().enumerate();
        Value::map(columns.map(|(index, name)| (name.as_str(), typed(row.get(index).and_then(Option::as_ref), found.types.get(index)))))
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placeholders_are_filled_with_quoted_values() {
        let positional = [Value::from("it's"), Value::Int(3), Value::Null];
        let sql = filled("SELECT %s, %s, %s, '5%%'", Some(&positional), None).expect("fills");
        assert_eq!(sql, "SELECT 'it''s', 3, NULL, '5%'");
        let named: Map = [("id", Value::list(["a", "b"]))].into_iter().collect();
        assert_eq!(filled("x = ANY (%(id)s)", None, Some(&named)).expect("fills"), "x = ANY (ARRAY['a', 'b'])");
        assert!(filled("%s", Some(&[]), None).is_err());
        assert_eq!(filled("LIKE '%s'", None, None).expect("leaves"), "LIKE '%s'");
    }

    #[test]
    fn only_statements_that_read_are_queries() {
        assert!(reads_only("  select 1") && reads_only("(SELECT 1)") && reads_only("SHOW all"));
        assert!(!reads_only("SELECT * INTO t FROM x") && !reads_only("WITH a AS (DELETE FROM x RETURNING 1) SELECT 1 FROM a"));
    }

    #[test]
    fn values_get_the_types_that_the_server_says() {
        let found = PostgresRows {
            columns: vec!["n".into(), "b".into(), "t".into()],
            types: vec!["INT4".into(), "BOOL".into(), "TEXT".into()],
            rows: vec![vec![Some("7".into()), Some("t".into()), None]],
            touched: 1,
        };
        assert_eq!(rows(&found).to_repr(), "[{'n': 7, 'b': True, 't': None}]");
    }
}
