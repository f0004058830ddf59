//! A template, parsed: statements and expressions with their positions. Shared by all renderings of the same text.

use std::collections::HashMap;
use std::sync::Arc;

use crate::base::Span;

use super::data::Val;
use super::filters::Filter;
use super::tests::Test;

/// A piece of a template's text: 0-based line and column of its first character, and its length on that line.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Position {
    pub line: u32,
    pub column: u32,
    pub length: u32,
}

pub(crate) struct Code {
    pub source: Arc<str>,
    /// The start of the file; of no use for a scalar, whose text may stand in several places.
    pub span: Span,
    pub body: Arc<[Statement]>,
    pub blocks: HashMap<Arc<str>, Arc<Block>>,
    /// Read from a file of its own, as opposed to a scalar in YAML.
    pub is_file: bool,
    /// Trailing newlines of the text, which a rendering keeps.
    pub trailing_newlines: usize,
    pub newline_sequence: Arc<str>,
}

impl Code {
    /// A text without statements: what a text that could not be parsed points at.
    pub fn unparsed(source: Arc<str>, is_file: bool, span: Span) -> Code {
        Code { source, span, body: Arc::from([]), blocks: HashMap::new(), is_file, trailing_newlines: 0, newline_sequence: "\n".into() }
    }
}

pub(crate) struct Block {
    pub name: Arc<str>,
    pub required: bool,
    pub body: Arc<[Statement]>,
}

pub(crate) enum Statement {
    Text(Arc<str>),
    Emit(Expression),
    For(Arc<Loop>),
    If {
        test: Expression,
        then: Arc<[Statement]>,
        otherwise: Arc<[Statement]>,
    },
    With {
        assignments: Vec<(Target, Expression)>,
        body: Arc<[Statement]>,
    },
    Set {
        target: Target,
        value: Expression,
    },
    SetBlock {
        target: Target,
        filter: Option<Expression>,
        body: Arc<[Statement]>,
    },
    FilterBlock {
        filter: Expression,
        body: Arc<[Statement]>,
    },
    /// `autoescape`, which does nothing here.
    Group(Arc<[Statement]>),
    Block(Arc<Block>),
    Import {
        template: Expression,
        name: Arc<str>,
    },
    FromImport {
        template: Expression,
        names: Vec<(Arc<str>, Arc<str>)>,
    },
    Extends(Expression),
    Include {
        template: Expression,
        ignore_missing: bool,
    },
    Macro(Arc<MacroCode>),
    CallBlock {
        call: Expression,
        caller: Arc<MacroCode>,
    },
    Do(Expression),
    Continue,
    Break,
}

pub(crate) struct Loop {
    pub target: Target,
    pub over: Expression,
    pub filter: Option<Expression>,
    pub recursive: bool,
    pub body: Arc<[Statement]>,
    pub otherwise: Arc<[Statement]>,
}

pub(crate) struct MacroCode {
    pub name: Arc<str>,
    pub parameters: Vec<(Arc<str>, Option<Expression>)>,
    pub body: Arc<[Statement]>,
}

/// What can be assigned to.
pub(crate) enum Target {
    Name(Arc<str>),
    Tuple(Vec<Target>),
    /// `ns.attr`
    Attribute(Expression, Arc<str>),
}

pub(crate) struct Expression {
    pub position: Position,
    pub kind: Kind,
}

pub(crate) enum Kind {
    Const(Val),
    /// A constant text that itself looks like a template (`lookup('file', '{{ path }}')`).
    Embedded(Arc<str>),
    Name(Arc<str>),
    List(Vec<Expression>),
    Tuple(Vec<Expression>),
    Map(Vec<(Expression, Expression)>),
    Not(Box<Expression>),
    Negative(Box<Expression>),
    And(Box<Expression>, Box<Expression>),
    Or(Box<Expression>, Box<Expression>),
    Binary(Operator, Box<Expression>, Box<Expression>),
    Compare(Box<Expression>, Vec<(Comparison, Expression)>),
    If {
        test: Box<Expression>,
        then: Box<Expression>,
        otherwise: Option<Box<Expression>>,
    },
    Filter {
        name: Arc<str>,
        filter: Option<&'static Filter>,
        base: Option<Box<Expression>>,
        arguments: Vec<Argument>,
    },
    Test {
        name: Arc<str>,
        test: Option<&'static Test>,
        base: Box<Expression>,
        arguments: Vec<Argument>,
    },
    Attribute(Box<Expression>, Arc<str>),
    Item(Box<Expression>, Box<Expression>),
    Slice(Box<Expression>, [Option<Box<Expression>>; 3]),
    Call(Box<Expression>, Vec<Argument>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operator {
    Add,
    Subtract,
    Multiply,
    Divide,
    FloorDivide,
    Remainder,
    Power,
    Concat,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Comparison {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    In,
    NotIn,
}

pub(crate) enum Argument {
    Positional(Expression),
    Named(Arc<str>, Expression),
    Spread(Expression),
    SpreadNamed(Expression),
}
