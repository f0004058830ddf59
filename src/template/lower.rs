//! From minijinja's syntax tree, which borrows the text and is thrown away, to `Code`, which is kept.

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::Arc;

use minijinja::machinery::{Span, ast};
use minijinja::value::ValueKind;

use super::code::{Argument, Block, Comparison, Expression, Kind, Loop, MacroCode, Operator, Position, Statement, Target};
use super::data::Val;
use super::fault::{Fault, Outcome};
use super::{filters, tests};

pub(crate) struct Lowering<F> {
    position: F,
    blocks: RefCell<Blocks>,
}

type Body = Arc<[Statement]>;
type Blocks = HashMap<Arc<str>, Arc<Block>>;

impl<F: Fn(Span) -> Position> Lowering<F> {
    pub fn new(position: F) -> Self {
        Lowering { position, blocks: RefCell::default() }
    }

    pub fn root(self, body: &[ast::Stmt<'_>]) -> Outcome<(Body, Blocks)> {
        let body = self.body(body)?;
        Ok((body, self.blocks.into_inner()))
    }

    fn body(&self, statements: &[ast::Stmt<'_>]) -> Outcome<Body> {
        statements.iter().map(|statement| self.statement(statement)).collect::<Outcome<Vec<_>>>().map(Arc::from)
    }

    fn statement(&self, statement: &ast::Stmt<'_>) -> Outcome<Statement> {
        Ok(match statement {
            ast::Stmt::Template(template) => Statement::Group(self.body(&template.children)?),
            ast::Stmt::EmitExpr(emit) => Statement::Emit(self.expression(&emit.expr)?),
            ast::Stmt::EmitRaw(raw) => Statement::Text(raw.raw.into()),
            ast::Stmt::ForLoop(each) => Statement::For(Arc::new(self.each(each)?)),
            ast::Stmt::IfCond(choice) => Statement::If {
                test: self.expression(&choice.expr)?,
                then: self.body(&choice.true_body)?,
                otherwise: self.body(&choice.false_body)?,
            },
            ast::Stmt::WithBlock(with) => {
                let assignments = with.assignments.iter().map(|(target, value)| Ok((self.target(target)?, self.expression(value)?)));
                Statement::With { assignments: assignments.collect::<Outcome<_>>()?, body: self.body(&with.body)? }
            }
            ast::Stmt::Set(set) => Statement::Set { target: self.target(&set.target)?, value: self.expression(&set.expr)? },
            ast::Stmt::SetBlock(set) => Statement::SetBlock {
                target: self.target(&set.target)?,
                filter: set.filter.as_ref().map(|filter| self.expression(filter)).transpose()?,
                body: self.body(&set.body)?,
            },
            ast::Stmt::AutoEscape(group) => Statement::Group(self.body(&group.body)?),
            ast::Stmt::FilterBlock(block) => {
                Statement::FilterBlock { filter: self.expression(&block.filter)?, body: self.body(&block.body)? }
            }
            ast::Stmt::Block(block) => self.block(block)?,
            ast::Stmt::Import(import) => Statement::Import { template: self.expression(&import.expr)?, name: name_of(&import.name)? },
            ast::Stmt::FromImport(import) => {
                let names = import.names.iter().map(|(name, alias)| {
                    let name = name_of(name)?;
                    let alias = alias.as_ref().map_or_else(|| Ok(name.clone()), name_of)?;
                    Ok((name, alias))
                });
                Statement::FromImport { template: self.expression(&import.expr)?, names: names.collect::<Outcome<_>>()? }
            }
            ast::Stmt::Extends(extends) => Statement::Extends(self.expression(&extends.name)?),
            ast::Stmt::Include(include) => {
                Statement::Include { template: self.expression(&include.name)?, ignore_missing: include.ignore_missing }
            }
            ast::Stmt::Macro(code) => Statement::Macro(Arc::new(self.macro_code(code)?)),
            ast::Stmt::CallBlock(block) => {
                Statement::CallBlock { call: self.call(&block.call)?, caller: Arc::new(self.macro_code(&block.macro_decl)?) }
            }
            ast::Stmt::Continue(_) => Statement::Continue,
            ast::Stmt::Break(_) => Statement::Break,
            ast::Stmt::Do(action) => Statement::Do(self.call(&action.call)?),
        })
    }

    fn each(&self, each: &ast::ForLoop<'_>) -> Outcome<Loop> {
        Ok(Loop {
            target: self.target(&each.target)?,
            over: self.expression(&each.iter)?,
            filter: each.filter_expr.as_ref().map(|filter| self.expression(filter)).transpose()?,
            recursive: each.recursive,
            body: self.body(&each.body)?,
            otherwise: self.body(&each.else_body)?,
        })
    }

    fn block(&self, block: &ast::Block<'_>) -> Outcome<Statement> {
        let name: Arc<str> = block.name.into();
        let block = Arc::new(Block { name: name.clone(), required: block.required, body: self.body(&block.body)? });
        self.blocks.borrow_mut().insert(name, block.clone());
        Ok(Statement::Block(block))
    }

    fn macro_code(&self, code: &ast::Macro<'_>) -> Outcome<MacroCode> {
        let without_default = code.args.len() - code.defaults.len();
        let mut parameters = Vec::with_capacity(code.args.len());
        for (index, argument) in code.args.iter().enumerate() {
            let default = if index < without_default { None } else { Some(self.expression(&code.defaults[index - without_default])?) };
            parameters.push((name_of(argument)?, default));
        }
        Ok(MacroCode { name: code.name.into(), parameters, body: self.body(&code.body)? })
    }

    fn target(&self, target: &ast::Expr<'_>) -> Outcome<Target> {
        Ok(match target {
            ast::Expr::Var(name) => Target::Name(name.id.into()),
            ast::Expr::Tuple(items) => Target::Tuple(items.items.iter().map(|item| self.target(item)).collect::<Outcome<_>>()?),
            ast::Expr::List(items) => Target::Tuple(items.items.iter().map(|item| self.target(item)).collect::<Outcome<_>>()?),
            ast::Expr::GetAttr(attribute) => Target::Attribute(self.expression(&attribute.expr)?, attribute.name.into()),
            other => return Err(Fault::syntax(format!("Syntax error in template: a {} cannot be assigned to", other.description()))),
        })
    }

    pub fn expression(&self, expression: &ast::Expr<'_>) -> Outcome<Expression> {
        let own = (self.position)(expression.span());
        let kind = match expression {
            ast::Expr::Var(name) => Kind::Name(name.id.into()),
            ast::Expr::Const(constant) => constant_kind(&constant.value)?,
            ast::Expr::Slice(slice) => {
                let part = |part: &Option<ast::Expr<'_>>| part.as_ref().map(|part| self.boxed(part)).transpose();
                Kind::Slice(self.boxed(&slice.expr)?, [part(&slice.start)?, part(&slice.stop)?, part(&slice.step)?])
            }
            ast::Expr::UnaryOp(unary) => match unary.op {
                ast::UnaryOpKind::Not => Kind::Not(self.boxed(&unary.expr)?),
                ast::UnaryOpKind::Neg => Kind::Negative(self.boxed(&unary.expr)?),
            },
            ast::Expr::BinOp(binary) => self.binary(binary)?,
            ast::Expr::Compare(compare) => {
                let steps = compare.ops.iter().map(|step| Ok((comparison(step.op), self.expression(&step.expr)?)));
                Kind::Compare(self.boxed(&compare.expr)?, steps.collect::<Outcome<_>>()?)
            }
            ast::Expr::IfExpr(choice) => Kind::If {
                test: self.boxed(&choice.test_expr)?,
                then: self.boxed(&choice.true_expr)?,
                otherwise: choice.false_expr.as_ref().map(|otherwise| self.boxed(otherwise)).transpose()?,
            },
            ast::Expr::Filter(filter) => Kind::Filter {
                name: filter.name.into(),
                filter: filters::find(filter.name),
                base: filter.expr.as_ref().map(|base| self.boxed(base)).transpose()?,
                arguments: self.arguments(&filter.args)?,
            },
            ast::Expr::Test(test) => Kind::Test {
                name: test.name.into(),
                test: tests::find(test.name),
                base: self.boxed(&test.expr)?,
                arguments: self.arguments(&test.args)?,
            },
            ast::Expr::GetAttr(attribute) => Kind::Attribute(self.boxed(&attribute.expr)?, attribute.name.into()),
            ast::Expr::GetItem(item) => Kind::Item(self.boxed(&item.expr)?, self.boxed(&item.subscript_expr)?),
            ast::Expr::Call(call) => return self.call(call),
            ast::Expr::List(list) => Kind::List(self.expressions(&list.items)?),
            ast::Expr::Tuple(tuple) => Kind::Tuple(self.expressions(&tuple.items)?),
            ast::Expr::Map(map) => {
                let entries = map.keys.iter().zip(&map.values).map(|(key, value)| Ok((self.expression(key)?, self.expression(value)?)));
                Kind::Map(entries.collect::<Outcome<_>>()?)
            }
        };
        Ok(Expression { position: from_base(&kind, own), kind })
    }

    fn call(&self, call: &ast::Spanned<ast::Call<'_>>) -> Outcome<Expression> {
        let kind = Kind::Call(self.boxed(&call.expr)?, self.arguments(&call.args)?);
        Ok(Expression { position: from_base(&kind, (self.position)(call.span())), kind })
    }

    fn boxed(&self, expression: &ast::Expr<'_>) -> Outcome<Box<Expression>> {
        self.expression(expression).map(Box::new)
    }

    fn expressions(&self, expressions: &[ast::Expr<'_>]) -> Outcome<Vec<Expression>> {
        expressions.iter().map(|expression| self.expression(expression)).collect()
    }

    fn arguments(&self, arguments: &[ast::CallArg<'_>]) -> Outcome<Vec<Argument>> {
        let lowered = arguments.iter().map(|argument| {
            Ok(match argument {
                ast::CallArg::Pos(value) => Argument::Positional(self.expression(value)?),
                ast::CallArg::Kwarg(name, value) => Argument::Named((*name).into(), self.expression(value)?),
                ast::CallArg::PosSplat(value) => Argument::Spread(self.expression(value)?),
                ast::CallArg::KwargSplat(value) => Argument::SpreadNamed(self.expression(value)?),
            })
        });
        lowered.collect()
    }

    fn binary(&self, binary: &ast::BinOp<'_>) -> Outcome<Kind> {
        use ast::BinOpKind as Op;
        let (left, right) = (self.boxed(&binary.left)?, self.boxed(&binary.right)?);
        let operator = match binary.op {
            Op::ScAnd => return Ok(Kind::And(left, right)),
            Op::ScOr => return Ok(Kind::Or(left, right)),
            Op::Eq => return Ok(Kind::Compare(left, vec![(Comparison::Equal, *right)])),
            Op::Ne => return Ok(Kind::Compare(left, vec![(Comparison::NotEqual, *right)])),
            Op::Lt => return Ok(Kind::Compare(left, vec![(Comparison::Less, *right)])),
            Op::Lte => return Ok(Kind::Compare(left, vec![(Comparison::LessOrEqual, *right)])),
            Op::Gt => return Ok(Kind::Compare(left, vec![(Comparison::Greater, *right)])),
            Op::Gte => return Ok(Kind::Compare(left, vec![(Comparison::GreaterOrEqual, *right)])),
            Op::In => return Ok(Kind::Compare(left, vec![(Comparison::In, *right)])),
            Op::Add => Operator::Add,
            Op::Sub => Operator::Subtract,
            Op::Mul => Operator::Multiply,
            Op::Div => Operator::Divide,
            Op::FloorDiv => Operator::FloorDivide,
            Op::Rem => Operator::Remainder,
            Op::Pow => Operator::Power,
            Op::Concat => Operator::Concat,
        };
        Ok(Kind::Binary(operator, left, right))
    }
}

/// The parser's spans of `a.b.c` begin at the last dot; messages should show the whole.
fn from_base(kind: &Kind, own: Position) -> Position {
    let base = match kind {
        Kind::Attribute(base, _) | Kind::Item(base, _) | Kind::Slice(base, _) | Kind::Call(base, _) => base.position,
        Kind::Compare(base, _) => base.position,
        _ => return own,
    };
    if base.line != own.line || base.column > own.column {
        return own;
    }
    Position { line: own.line, column: base.column, length: (own.column + own.length).saturating_sub(base.column).max(base.length) }
}

fn comparison(kind: ast::CompareOpKind) -> Comparison {
    match kind {
        ast::CompareOpKind::Eq => Comparison::Equal,
        ast::CompareOpKind::Ne => Comparison::NotEqual,
        ast::CompareOpKind::Lt => Comparison::Less,
        ast::CompareOpKind::Lte => Comparison::LessOrEqual,
        ast::CompareOpKind::Gt => Comparison::Greater,
        ast::CompareOpKind::Gte => Comparison::GreaterOrEqual,
        ast::CompareOpKind::In => Comparison::In,
        ast::CompareOpKind::NotIn => Comparison::NotIn,
    }
}

fn constant_kind(value: &minijinja::Value) -> Outcome<Kind> {
    let constant = match value.kind() {
        ValueKind::None | ValueKind::Undefined => Val::Null,
        ValueKind::Bool => Val::Bool(value.is_true()),
        ValueKind::Number => match (value.is_integer(), value.as_i64()) {
            (true, Some(number)) => Val::Int(number),
            (true, None) => return Err(Fault::syntax(format!("the number `{value}` does not fit into 64 bits"))),
            (false, _) => Val::Float(f64::try_from(value.clone()).map_err(|error| Fault::syntax(error.to_string()))?),
        },
        _ => {
            let text: Arc<str> = value.as_str().unwrap_or_default().into();
            if crate::base::source::is_template(&text) {
                return Ok(Kind::Embedded(text));
            }
            Val::Str(text)
        }
    };
    Ok(Kind::Const(constant))
}

fn name_of(expression: &ast::Expr<'_>) -> Outcome<Arc<str>> {
    match expression {
        ast::Expr::Var(name) => Ok(name.id.into()),
        other => Err(Fault::syntax(format!("Syntax error in template: a name is expected, not a {}", other.description()))),
    }
}
