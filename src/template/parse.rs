//! From text to `Code`. The grammar is minijinja's parser; this file prepares the text for it (backslashes, newlines, the `#jinja2:` line).

use std::sync::Arc;

use minijinja::machinery::{ast, parse as parse_template, parse_expr};
use minijinja::syntax::SyntaxConfig;

use crate::base::Span;

use super::code::{Code, Position, Statement};
use super::context::FileOptions;
use super::fault::{Fault, Outcome};
use super::header;
use super::lower::Lowering;

/// Where a text comes from, which decides what its backslashes mean and where newlines go.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Mode {
    /// A scalar of a YAML file: YAML has dealt with the backslashes in `{{ }}` already. (In `{% %}` Jinja deals with them, as in ansible-core.)
    Yaml,
    /// A template of its own: `template`, `include`, `import`.
    File { options: Box<FileOptions>, file: Arc<str> },
}

/// The text as the parser gets it, with the positions of the characters that were added.
struct Prepared {
    text: String,
    added: Vec<(u32, u32)>,
    /// Lines taken off the start (`#jinja2:`).
    skipped: u32,
}

impl Prepared {
    fn position(&self, span: minijinja::machinery::Span) -> Position {
        let line = u32::from(span.start_line).saturating_sub(1);
        let start = self.column(line, u32::from(span.start_col));
        let length = if span.end_line == span.start_line { self.column(line, u32::from(span.end_col)).saturating_sub(start) } else { 0 };
        Position { line: line + self.skipped, column: start, length }
    }

    fn column(&self, line: u32, column: u32) -> u32 {
        column - self.added.iter().filter(|(at, position)| *at == line && *position < column).count() as u32
    }
}

pub(crate) fn template(source: &Arc<str>, mode: &Mode) -> Outcome<Code> {
    let (mut options, is_file) = match mode {
        Mode::Yaml => (FileOptions::default(), false),
        Mode::File { options, .. } => (options.as_ref().clone(), true),
    };
    let (body, skipped) = header::apply(source, &mut options)?;
    let mut prepared = prepare(body, &options, !is_file);
    prepared.skipped = skipped;
    let syntax = syntax(&options)?;
    let tree = parse_template(&prepared.text, "template", syntax).map_err(|error| refused(&error, &prepared))?;
    let ast::Stmt::Template(root) = &tree else {
        return Err(Fault::syntax("the text is no template"));
    };
    let lowering = Lowering::new(|span| prepared.position(span));
    let (body, blocks) = lowering.root(&root.children)?;
    let span = match mode {
        Mode::Yaml => Span::origin("<template>"),
        Mode::File { file, .. } => Span::new(file.clone(), 1, 1),
    };
    let newline_sequence = options.newline_sequence.into();
    Ok(Code { source: source.clone(), span, body, blocks, is_file, trailing_newlines: trailing_newlines(source), newline_sequence })
}

/// A bare expression: `when`, `until`, `var`. Its code is one statement that writes it.
pub(crate) fn expression(source: &Arc<str>) -> Outcome<Code> {
    let prepared = Escaper::new(source, &FileOptions::default(), false).expression();
    let tree = parse_expr(&prepared.text).map_err(|error| {
        let fault = refused(&error, &prepared);
        if crate::base::source::is_template(source) { fault.help("an expression needs no `{{ }}` around it") } else { fault }
    })?;
    let expression = Lowering::new(|span| prepared.position(span)).expression(&tree)?;
    Ok(Code { body: Arc::from([Statement::Emit(expression)]), ..Code::unparsed(source.clone(), false, Span::origin("<expression>")) })
}

fn refused(error: &minijinja::Error, prepared: &Prepared) -> Fault {
    let message = error.detail().map_or_else(|| error.kind().to_string(), str::to_owned);
    let line = error.line().unwrap_or(1).saturating_sub(1) as u32;
    let column = error.range().map_or(0, |range| {
        let before = prepared.text.get(..range.start).unwrap_or("");
        before.chars().rev().take_while(|character| *character != '\n').count() as u32
    });
    let length = error
        .range()
        .map_or(0, |range| prepared.text.get(range).map_or(0, |text| text.lines().next().unwrap_or("").chars().count() as u32));
    let position = Position { line: line + prepared.skipped, column: prepared.column(line, column), length };
    Fault::syntax(format!("Syntax error in template: {message}")).at_position(position)
}

fn syntax(options: &FileOptions) -> Outcome<SyntaxConfig> {
    let mut builder = SyntaxConfig::builder();
    builder
        .block_delimiters(options.block_start.clone(), options.block_end.clone())
        .variable_delimiters(options.variable_start.clone(), options.variable_end.clone())
        .comment_delimiters(options.comment_start.clone(), options.comment_end.clone())
        .trim_blocks(options.trim_blocks)
        .lstrip_blocks(options.lstrip_blocks)
        .keep_trailing_newline(options.keep_trailing_newline);
    if let Some(prefix) = &options.line_statement_prefix {
        builder.line_statement_prefix(prefix.clone());
    }
    if let Some(prefix) = &options.line_comment_prefix {
        builder.line_comment_prefix(prefix.clone());
    }
    builder.build().map_err(|error| Fault::syntax(format!("the template's delimiters do not fit together: {error}")))
}

fn trailing_newlines(text: &str) -> usize {
    text.bytes().rev().take_while(|byte| *byte == b'\n').count()
}

/// One kind of newline, and the backslashes of constants as the parser must see them.
fn prepare(text: &str, options: &FileOptions, yaml: bool) -> Prepared {
    let text = if text.contains('\r') { text.replace("\r\n", "\n").replace('\r', "\n") } else { text.to_owned() };
    if !text.contains(['\\', '+']) {
        return Prepared { text, added: Vec::new(), skipped: 0 };
    }
    Escaper::new(&text, options, yaml).run()
}

/// What a `+` stands behind that has no left side: it changes nothing, and minijinja does not know it.
const BEFORE_SIGN: &str = "([{,:=+-*/%<>~|";

struct Escaper<'a> {
    rest: &'a str,
    out: String,
    line: u32,
    column: u32,
    added: Vec<(u32, u32)>,
    options: &'a FileOptions,
    yaml: bool,
}

impl<'a> Escaper<'a> {
    fn new(text: &'a str, options: &'a FileOptions, yaml: bool) -> Self {
        Escaper { rest: text, out: String::with_capacity(text.len() + 16), line: 0, column: 0, added: Vec::new(), options, yaml }
    }

    /// The whole text is an expression: Python keeps the backslash of `\/` in it, which minijinja drops.
    fn expression(mut self) -> Prepared {
        self.inside("\0", false);
        Prepared { text: self.out, added: self.added, skipped: 0 }
    }

    fn run(mut self) -> Prepared {
        while !self.rest.is_empty() {
            if self.rest.starts_with(self.options.comment_start.as_str()) {
                self.through(&self.options.comment_end.clone());
            } else if self.rest.starts_with(self.options.variable_start.as_str()) {
                self.code(&self.options.variable_end.clone(), self.yaml);
            } else if self.rest.starts_with(self.options.block_start.as_str()) {
                let inside = self.rest[self.options.block_start.len()..].trim_start_matches(['-', '+']).trim_start();
                if inside.starts_with("raw") {
                    self.through("endraw");
                } else {
                    self.code(&self.options.block_end.clone(), false);
                }
            } else {
                self.take(1);
            }
        }
        Prepared { text: self.out, added: self.added, skipped: 0 }
    }

    fn take(&mut self, characters: usize) {
        for character in self.rest.chars().take(characters) {
            if character == '\n' {
                self.line += 1;
                self.column = 0;
            } else {
                self.column += 1;
            }
            self.out.push(character);
            self.rest = &self.rest[character.len_utf8()..];
        }
    }

    fn through(&mut self, end: &str) {
        let length = self.rest.find(end).map_or(self.rest.len(), |at| at + end.len());
        self.take(self.rest[..length].chars().count());
    }

    fn code(&mut self, end: &str, double: bool) {
        self.take(2.min(self.rest.chars().count()));
        if self.rest.starts_with(['-', '+']) {
            self.take(1);
        }
        self.inside(end, double);
    }

    fn inside(&mut self, end: &str, double: bool) {
        let mut open = 0usize;
        let mut before = ',';
        while let Some(character) = self.rest.chars().next() {
            let left = if character.is_whitespace() { before } else { std::mem::replace(&mut before, character) };
            match character {
                _ if open == 0 && self.rest.starts_with(end) => return self.take(end.chars().count()),
                '\'' | '"' => self.constant(character, double),
                '+' if BEFORE_SIGN.contains(left) && !self.rest[1..].starts_with(end) => {
                    self.out.push(' ');
                    self.column += 1;
                    self.rest = &self.rest[1..];
                    before = left;
                }
                '(' | '[' | '{' => {
                    open += 1;
                    self.take(1);
                }
                ')' | ']' | '}' => {
                    open = open.saturating_sub(1);
                    self.take(1);
                }
                _ => self.take(1),
            }
        }
    }

    fn constant(&mut self, quote: char, double: bool) {
        self.take(1);
        while let Some(character) = self.rest.chars().next() {
            if character == quote {
                return self.take(1);
            }
            if character != '\\' {
                self.take(1);
                continue;
            }
            let next = self.rest.chars().nth(1);
            if double || next == Some('/') {
                self.added.push((self.line, self.column));
                self.out.push('\\');
                self.column += 1;
            }
            // The character behind a backslash never ends the constant, whatever the backslash means.
            self.take(1);
            if double && (next == Some('\\') || next == Some(quote)) {
                self.added.push((self.line, self.column));
                self.out.push('\\');
                self.column += 1;
            }
            self.take(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prepared(text: &str, yaml: bool) -> String {
        prepare(text, &FileOptions::default(), yaml).text
    }

    #[test]
    fn backslashes_are_doubled_in_expressions_of_yaml_only() {
        assert_eq!(prepared(r"\d {{ x | regex_replace('\d', '\1') }}", true), r"\d {{ x | regex_replace('\\d', '\\1') }}");
        assert_eq!(prepared(r"{% set x = '\n' %}", true), r"{% set x = '\n' %}");
        assert_eq!(prepared(r"{{ '\n' }}", false), r"{{ '\n' }}");
    }

    #[test]
    fn a_sign_that_changes_nothing_is_left_out() {
        assert_eq!(prepared("{{ [+1, 2 + +x, 'a+b' + y] }}{%+ if a + b +%}+", true), "{{ [ 1, 2 +  x, 'a+b' + y] }}{%+ if a + b +%}+");
    }

    #[test]
    fn a_quoted_backslash_does_not_end_its_constant() {
        assert_eq!(prepared(r"{{ 'a\'b' ~ 'c\\' }}", true), r"{{ 'a\\\'b' ~ 'c\\\\' }}");
    }
}
