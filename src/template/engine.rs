//! The templar: the one way in. Compiles texts (once each) and renders them in a context.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, RwLock};

use crate::base::source::{NodeKind, Style, is_template};
use crate::base::{Map, Node, Span, Value};

use super::code::{Code, Statement};
use super::context::{Context, FileOptions};
use super::data::Val;
use super::error::Error;
use super::exec::Machine;
use super::fault::{Fault, Origin, Outcome};
use super::names::{self, NameKind};
use super::parse::{self, Mode};
use super::scope::{Rendering, Scope};
use super::{arguments, condition, lookups};

/// Texts kept compiled. Projects have a few thousand; a text built anew for every host must not fill the memory.
const MOST_KEPT: usize = 20_000;

/// Renders templates. One for a run; clones share the compiled templates and the decrypted vault texts.
#[derive(Clone, Default)]
pub struct Templar {
    shared: Arc<Shared>,
}

type Compiled = HashMap<Arc<str>, Outcome<Arc<Code>>>;

#[derive(Default)]
struct Shared {
    templates: RwLock<HashMap<Mode, Compiled>>,
    expressions: RwLock<Compiled>,
    decrypted: RwLock<HashMap<Arc<str>, Arc<str>>>,
}

impl Templar {
    pub fn new() -> Self {
        Templar::default()
    }

    /// The whole tree as data: every template in it rendered once (with native types), vault text decrypted, `omit` dropped from containers.
    /// Keys are not templates. A tree that is nothing but `omit` is the text [`super::OMIT`].
    pub fn render(&self, node: &Node, context: &Context) -> Result<Value, Error> {
        self.finish(Scope::new(self.clone(), context.clone()).node(node), &node.span)
    }

    pub fn render_text(&self, text: &str, span: &Span, context: &Context) -> Result<Value, Error> {
        let scope = Scope::new(self.clone(), context.clone());
        self.finish(scope.text(&text.into(), Style::Plain, span), span)
    }

    /// A bare expression: `until`, `debug: var`, the items of a `with_`.
    pub fn evaluate(&self, expression: &str, span: &Span, context: &Context) -> Result<Value, Error> {
        let scope = Scope::new(self.clone(), context.clone());
        self.finish(self.run_expression(&scope, &expression.into(), Style::Plain, span, false), span)
    }

    /// `when`, `changed_when`, `failed_when`, an item of `that`: an expression with a boolean result. Anything else is an error, unless broken
    /// conditionals are allowed.
    pub fn condition(&self, node: &Node, context: &Context) -> Result<bool, Error> {
        let scope = Scope::new(self.clone(), context.clone());
        condition::holds(&scope, node).map_err(|fault| fault.into_error(&node.span))
    }

    /// A template file's text, as text.
    pub fn render_file(&self, text: &str, span: &Span, options: &FileOptions, context: &Context) -> Result<String, Error> {
        let scope = Scope::new(self.clone(), context.clone());
        let text: Arc<str> = text.into();
        let render = || {
            let value = self.run_file(&scope, &text, options, span)?;
            if matches!(value, Val::Null) { Ok(String::new()) } else { Ok(value.present()?.text()?.to_string()) }
        };
        render().map_err(|fault: Fault| fault.into_error(span))
    }

    /// The names a text reads from its context, with the lookups it does. What cannot be parsed reads nothing: rendering it says why.
    pub fn free_names(&self, text: &str, kind: NameKind) -> BTreeSet<String> {
        let text: Arc<str> = text.into();
        let code = match kind {
            NameKind::Template => self.code(&text, &Mode::Yaml, &Span::origin("<template>")),
            NameKind::Expression => self.expression_code(&text),
        };
        code.map(|code| names::read_by(&code)).unwrap_or_default()
    }

    /// What the variable behind `{{ name }}` is as source, where that is all the node says and the project's own files define it: conditions
    /// in it are the project's own.
    pub fn source_behind(&self, node: &Node, context: &Context) -> Option<Node> {
        match &node.kind {
            NodeKind::Str(text, _) if is_template(text) => condition::source_of(context, text, 0),
            _ => None,
        }
    }

    /// A lookup by name, as `with_*` does it: every result in one list.
    pub fn lookup(&self, name: &str, terms: Vec<Value>, options: Map, context: &Context) -> Result<Vec<Value>, Error> {
        let scope = Scope::new(self.clone(), context.clone());
        let mut arguments = arguments::Arguments::of(terms.iter().map(Val::from_value).collect());
        arguments.named = options.iter().map(|(key, value)| (key.to_string().into(), Val::from_value(value))).collect();
        let run = || lookups::run(name, arguments, &scope)?.iter().map(Val::to_value).collect::<Outcome<Vec<Value>>>();
        run().map_err(|fault| fault.into_error(&Span::origin("<lookup>")))
    }

    /// A lookup whose terms stand in source: each is rendered when the lookup looks at it, which may be never.
    ///
    /// # Errors
    /// As the lookup's.
    pub fn lookup_of(&self, name: &str, terms: &Node, options: Map, context: &Context) -> Result<Vec<Value>, Error> {
        let scope = Scope::new(self.clone(), context.clone());
        let run = || {
            let terms = match scope.node(terms)? {
                Val::List(list) => list.items()?,
                other => vec![other],
            };
            let mut arguments = arguments::Arguments::of(terms);
            arguments.named = options.iter().map(|(key, value)| (key.to_string().into(), Val::from_value(value))).collect();
            lookups::run(name, arguments, &scope)?.iter().map(Val::to_value).collect::<Outcome<Vec<Value>>>()
        };
        run().map_err(|fault| fault.into_error(&terms.span))
    }

    fn finish(&self, value: Outcome<Val>, span: &Span) -> Result<Value, Error> {
        value.and_then(|value| value.to_value()).map_err(|fault| fault.into_error(span))
    }

    /// Decrypts vault text, once for a run, and tells the redactor.
    pub(crate) fn decrypt(&self, cipher: &Arc<str>, context: &Context) -> Outcome<Arc<str>> {
        if let Some(plain) = self.shared.decrypted.read().unwrap_or_else(|poisoned| poisoned.into_inner()).get(cipher) {
            return Ok(plain.clone());
        }
        let secret = (context.controller.decrypt)(cipher)?;
        context.controller.redactor.learn(secret.expose());
        let plain: Arc<str> = secret.expose().into();
        self.shared.decrypted.write().unwrap_or_else(|poisoned| poisoned.into_inner()).insert(cipher.clone(), plain.clone());
        Ok(plain)
    }

    /// Whether a text is one that came out of vault text: by its address, since others may say the same.
    pub(crate) fn is_decrypted(&self, text: &Arc<str>) -> bool {
        self.shared.decrypted.read().unwrap_or_else(|poisoned| poisoned.into_inner()).values().any(|plain| Arc::ptr_eq(plain, text))
    }

    pub(crate) fn code(&self, text: &Arc<str>, mode: &Mode, span: &Span) -> Outcome<Arc<Code>> {
        if let Some(known) =
            self.shared.templates.read().unwrap_or_else(|poisoned| poisoned.into_inner()).get(mode).and_then(|texts| texts.get(text))
        {
            return known.clone();
        }
        let parsed =
            parse::template(text, mode).map(Arc::new).map_err(|fault| unparsed(fault, text, matches!(mode, Mode::File { .. }), span));
        let mut templates = self.shared.templates.write().unwrap_or_else(|poisoned| poisoned.into_inner());
        let texts = templates.entry(mode.clone()).or_default();
        if texts.len() >= MOST_KEPT {
            texts.clear();
        }
        if parsed.is_ok() {
            texts.insert(text.clone(), parsed.clone());
        }
        parsed
    }

    pub(super) fn expression_code(&self, text: &Arc<str>) -> Outcome<Arc<Code>> {
        if let Some(known) = self.shared.expressions.read().unwrap_or_else(|poisoned| poisoned.into_inner()).get(text) {
            return known.clone();
        }
        let parsed = parse::expression(text).map(Arc::new);
        let mut expressions = self.shared.expressions.write().unwrap_or_else(|poisoned| poisoned.into_inner());
        if expressions.len() >= MOST_KEPT {
            expressions.clear();
        }
        expressions.insert(text.clone(), parsed.clone());
        parsed
    }

    /// Renders a text of a YAML file.
    pub(crate) fn run_text(&self, scope: &Arc<Scope>, text: &Arc<str>, style: Style, span: &Span) -> Outcome<Val> {
        let _rendering = Rendering::enter(text, scope)?;
        let code = self.code(text, &Mode::Yaml, span).map_err(|fault| placed(fault, text, style, span))?;
        let origin = Origin { span: span.clone(), style, code };
        run(scope, origin)
    }

    pub(crate) fn run_file(&self, scope: &Arc<Scope>, text: &Arc<str>, options: &FileOptions, span: &Span) -> Outcome<Val> {
        let _rendering = Rendering::enter(text, scope)?;
        let mode = Mode::File { options: Box::new(options.clone()), file: span.file.clone() };
        let code = self.code(text, &mode, span)?;
        let origin = Origin { span: span.clone(), style: Style::Plain, code };
        run(scope, origin)
    }

    pub(crate) fn run_expression(&self, scope: &Arc<Scope>, text: &Arc<str>, style: Style, span: &Span, conditional: bool) -> Outcome<Val> {
        let _rendering = Rendering::enter(text, scope)?;
        let code = self.expression_code(text).map_err(|fault| placed(fault, text, style, span))?;
        let mut machine = Machine::new(scope.clone(), Origin { span: span.clone(), style, code: code.clone() });
        machine.renders_constants = conditional;
        match &code.body[..] {
            [Statement::Emit(expression)] => machine.evaluate(expression),
            _ => Err(Fault::syntax("the text is no expression")),
        }
    }
}

fn run(scope: &Arc<Scope>, origin: Origin) -> Outcome<Val> {
    // The common case, `{{ expression }}` alone, needs no sink.
    let code = origin.code.clone();
    let mut machine = Machine::new(scope.clone(), origin);
    if let [Statement::Emit(expression)] = &code.body[..] {
        return machine.evaluate(expression).map(|value| ending(value, &code));
    }
    machine.run().map(|value| ending(value, &code))
}

/// Text keeps as many newlines at its end as its template has, whatever the template engine dropped.
fn ending(value: Val, code: &Code) -> Val {
    if code.trailing_newlines == 0 {
        return newlines(value, code);
    }
    match value {
        Val::Str(text) => {
            let present = text.bytes().rev().take_while(|byte| *byte == b'\n').count();
            let missing = code.trailing_newlines.saturating_sub(present);
            let text = if missing == 0 { text } else { format!("{text}{}", "\n".repeat(missing)).into() };
            newlines(Val::Str(text), code)
        }
        other => other,
    }
}

fn newlines(value: Val, code: &Code) -> Val {
    match value {
        Val::Str(text) if code.newline_sequence.as_ref() != "\n" => Val::str(text.replace('\n', &code.newline_sequence)),
        other => other,
    }
}

/// A text that could not be parsed has no code; its fault needs a place all the same.
fn unparsed(fault: Fault, text: &Arc<str>, is_file: bool, span: &Span) -> Fault {
    if !is_file {
        return fault;
    }
    let code = Code::unparsed(text.clone(), true, span.clone());
    fault.in_text(&Origin { span: span.clone(), style: Style::Plain, code: Arc::new(code) })
}

fn placed(fault: Fault, text: &Arc<str>, style: Style, span: &Span) -> Fault {
    let code = Code::unparsed(text.clone(), false, span.clone());
    fault.in_text(&Origin { span: span.clone(), style, code: Arc::new(code) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn context(json: &str) -> Context {
        let Value::Map(map) = Value::from_json(serde_json::from_str(json).expect("is JSON")) else {
            panic!("variables are a mapping");
        };
        Context { variables: map, search: Default::default(), controller: Default::default() }
    }

    fn rendered(text: &str) -> String {
        let context = context(r#"{"name": "web", "list": [3, 1, 2], "map": {"a": 1, "b": {"c": "deep"}}, "yes": true, "nothing": null}"#);
        match Templar::new().render_text(text, &Span::origin("<test>"), &context) {
            Ok(value) => value.to_repr(),
            Err(error) => format!("error: {error}"),
        }
    }

    #[test]
    fn an_expression_alone_keeps_its_type_and_mixed_text_is_text() {
        assert_eq!(rendered("{{ list }}"), "[3, 1, 2]");
        assert_eq!(rendered("{{ 1 + 1 }}"), "2");
        assert_eq!(rendered("{{ map.b.c }} {{ list }}"), "'deep [3, 1, 2]'");
        assert_eq!(rendered("{% if yes %}{{ list }}{% endif %}"), "[3, 1, 2]");
        assert_eq!(rendered("plain"), "'plain'");
    }

    #[test]
    fn undefined_names_chain_to_a_default_and_are_errors_when_used() {
        assert_eq!(rendered("{{ a.b.c | default('x') }}"), "'x'");
        assert_eq!(rendered("{{ map.x.y is defined }}"), "False");
        assert_eq!(rendered("{{ nme }}"), "error: <test>: `nme` is undefined (did you mean `name`?)");
        assert_eq!(rendered("{{ [][0] }}"), "error: <test>: `list` object has no element 0");
        assert_eq!(rendered("{{ map.zzz }}"), "error: <test>: object of type `dict` has no attribute `zzz`");
        assert_eq!(rendered("{{ nme | upper | default('x') }}"), "'x'");
    }

    #[test]
    fn lists_and_mappings_change_in_place() {
        assert_eq!(rendered("{% set l = [] %}{% for i in list %}{% do l.append(i * 2) %}{% endfor %}{{ l }}"), "[6, 2, 4]");
        assert_eq!(rendered("{% set d = {} %}{% do d.update({'a': 1}) %}{% do d.update(b=2) %}{{ d }}"), "{'a': 1, 'b': 2}");
        assert_eq!(rendered("{{ list.append(1) }}{{ list }}"), "[3, 1, 2, 1]");
    }

    #[test]
    fn loops_know_where_they_are() {
        assert_eq!(
            rendered("{% for i in list if i > 1 %}{{ loop.index }}/{{ loop.length }}{{ ',' if not loop.last }}{% endfor %}"),
            "'1/2,2/2'"
        );
        assert_eq!(rendered("{% for i in list %}{% if i == 1 %}{% continue %}{% endif %}{{ i }}{% else %}none{% endfor %}"), "'32'");
        assert_eq!(
            rendered("{% for k, v in map.items() recursive %}{{ k }}{% if v is mapping %}({{ loop(v.items()) }}){% endif %}{% endfor %}"),
            "'ab(c)'"
        );
    }

    #[test]
    fn macros_see_their_parameters_and_callers() {
        assert_eq!(rendered("{% macro m(a, b=2) %}{{ a }}-{{ b }}{{ varargs }}{% endmacro %}{{ m(1) }} {{ m(1, b=3) }}"), "'1-2[] 1-3[]'");
        assert_eq!(rendered("{% macro m() %}[{{ caller() }}]{% endmacro %}{% call m() %}x{% endcall %}"), "'[x]'");
    }

    #[test]
    fn a_variable_that_needs_itself_is_reported() {
        let span = Span::new("vars.yml", 3, 4);
        struct Loop(Span);
        impl crate::template::Variables for Loop {
            fn get(&self, name: &str) -> Option<crate::template::Variable> {
                let other = if name == "a" { "{{ b }}" } else { "{{ a }}" };
                matches!(name, "a" | "b").then(|| crate::template::Variable::Source(Node::text(self.0.clone(), texts(other))))
            }
            fn names(&self) -> Vec<String> {
                vec!["a".into(), "b".into()]
            }
        }
        // The same text every time, as a loaded file has it.
        fn texts(text: &'static str) -> Arc<str> {
            static KEPT: std::sync::LazyLock<(Arc<str>, Arc<str>)> = std::sync::LazyLock::new(|| ("{{ a }}".into(), "{{ b }}".into()));
            if text == "{{ a }}" { KEPT.0.clone() } else { KEPT.1.clone() }
        }
        let context = Context { variables: Arc::new(Loop(span.clone())), search: Default::default(), controller: Default::default() };
        let error = Templar::new().render_text("{{ a }}", &span, &context).expect_err("loops");
        assert!(error.diagnostic.message.contains("recursive loop"), "{error}");
    }

    #[test]
    fn free_names_leave_out_what_the_template_sets() {
        let names = Templar::new()
            .free_names("{% set x = a %}{{ x }}{{ b.c[d] }}{% for i in e %}{{ i }}{% endfor %}{{ lookup('file', f) }}", NameKind::Template);
        assert_eq!(names.into_iter().collect::<Vec<_>>(), ["a", "b", "d", "e", "f", "lookup:file"]);
    }

    /// `v0` needs `v1` needs `v2` …
    struct Chain;

    impl crate::template::Variables for Chain {
        fn get(&self, name: &str) -> Option<crate::template::Variable> {
            let number: usize = name.strip_prefix('v')?.parse().ok()?;
            let text = if number >= 1000 { "end".to_owned() } else { format!("{{{{ v{} | default('x') }}}}", number + 1) };
            Some(crate::template::Variable::Source(Node::text(Span::origin("<chain>"), text)))
        }

        fn names(&self) -> Vec<String> {
            Vec::new()
        }
    }

    #[test]
    fn a_long_chain_of_variables_is_an_error_before_it_is_a_crash() {
        let context = Context { variables: Arc::new(Chain), search: Default::default(), controller: Default::default() };
        let rendered = |first: usize| Templar::new().render_text(&format!("{{{{ v{first} }}}}"), &Span::origin("<test>"), &context);
        assert_eq!(rendered(950).expect("is short enough"), "end".into());
        let error = rendered(0).expect_err("is too long");
        assert!(error.diagnostic.message.contains("nested more than"), "{error}");
    }

    #[test]
    fn template_files_inherit_include_and_import() {
        let folder = tempfile::tempdir().expect("a folder");
        let templates = folder.path().join("templates");
        std::fs::create_dir(&templates).expect("a folder");
        let write = |name: &str, text: &str| std::fs::write(templates.join(name), text).expect("is written");
        write("base.j2", "<{% block body %}base{% endblock %}>{% block foot %}foot{% endblock %}\n");
        write("part.j2", "part {{ name }}\n");
        write("macros.j2", "{% macro twice(x) %}{{ x }}{{ x }}{% endmacro %}{% set top = 7 %}");
        let search = crate::template::SearchPath::new([folder.path().to_owned()]);
        let context = Context { search, ..context(r#"{"name": "web"}"#) };
        let render = |text: &str| {
            let rendered = Templar::new().render_file(text, &Span::new("own.j2", 1, 1), &FileOptions::default(), &context);
            rendered.unwrap_or_else(|error| format!("error: {error}"))
        };
        assert_eq!(render("{% extends 'base.j2' %}\nlost{% block body %}own {{ super() }}{% endblock %}"), "<own base>foot");
        assert_eq!(render("a {% include 'part.j2' %}!\n"), "a part web!\n");
        assert_eq!(render("{% include 'none.j2' ignore missing %}x"), "x");
        assert_eq!(render("{% import 'macros.j2' as m %}{{ m.twice('x') }}{{ m.top }}"), "xx7");
        assert_eq!(render("{% from 'macros.j2' import twice as t %}{{ t(1) }}"), "11");
        assert_eq!(render("#jinja2: variable_start_string: '[%', variable_end_string: '%]'\n[% name %] {{ name }}\n"), "web {{ name }}\n");
        assert_eq!(render("{% if true %}\n  x\n{% endif %}\ny\n"), "  x\ny\n");
        assert_eq!(render("{{ 'a\\n' }}b"), "a\nb");
        assert!(render("{% include 'none.j2' %}").contains("own.j2:1:12: the template `none.j2` is in none of"));
    }
}
