//! Templates that use other templates: `extends` and blocks, `include`, `import`.

use std::sync::Arc;

use indexmap::IndexMap;

use super::code::{Block, Code, Expression};
use super::context::Beyond;
use super::data::Val;
use super::exec::{Machine, Sink, frame, lock};
use super::fault::{Fault, Origin, Outcome};
use super::object::Object;
use super::parse::Mode;
use super::scope::Nested;

impl Machine {
    pub fn block(&mut self, block: &Arc<Block>, sink: &mut Sink) -> Outcome<()> {
        if self.parent.is_some() {
            return Ok(());
        }
        let levels: Arc<[Arc<Block>]> = self.blocks.get(&block.name).map_or_else(|| vec![block.clone()], Clone::clone).into();
        let value = self.block_level(&levels)?;
        sink.push(value)
    }

    /// Runs a block as the most derived template has it; `super()` runs the next level.
    pub fn block_level(&mut self, levels: &Arc<[Arc<Block>]>) -> Outcome<Val> {
        let Some((block, above)) = levels.split_first() else {
            return Err(Fault::undefined("there is no parent block"));
        };
        if block.required {
            return Err(Fault::failed(format!("the block `{}` is required, and no template fills it", block.name)));
        }
        let above: Arc<[Arc<Block>]> = above.into();
        let mut sink = Sink::Empty;
        self.scoped(|machine| {
            machine.set("super".into(), Val::Object(Object::Block(above)));
            machine.body(&block.body, &mut sink)
        })?;
        Ok(sink.finish())
    }

    pub fn block_named(&self, name: &str) -> Option<Val> {
        self.blocks.get(name).map(|levels| Val::Object(Object::Block(levels.clone().into())))
    }

    /// Finds a template by name, or the first of several names.
    pub fn load(&mut self, template: &Expression, ignore_missing: bool) -> Outcome<Option<Arc<Code>>> {
        let value = self.evaluate(template)?.present().map_err(|fault| fault.at(&self.origin, template.position))?;
        let names: Vec<String> = match &value {
            Val::Str(name) => vec![name.to_string()],
            other => other.iterate()?.iter().map(|name| name.text().map(|name| name.to_string())).collect::<Outcome<_>>()?,
        };
        for name in &names {
            if let Some(code) = self.load_name(name)? {
                return Ok(Some(code));
            }
        }
        if ignore_missing {
            return Ok(None);
        }
        let places: Vec<String> = self.scope.context.search.roots().iter().map(|root| format!("`{}`", root.display())).collect();
        let fault = Fault::failed(format!("the template `{}` is in none of {}", names.join("`, `"), places.join(", ")));
        Err(fault.at(&self.origin, template.position))
    }

    fn load_name(&self, name: &str) -> Outcome<Option<Arc<Code>>> {
        let beside = std::path::Path::new(self.origin.span.file.as_ref()).parent().map(|folder| folder.join(name));
        let found = beside
            .filter(|path| self.origin.code.is_file && path.is_file())
            .or_else(|| self.scope.context.search.find("templates", std::path::Path::new(name)));
        self.scope.go_beyond(Beyond::Files)?;
        let Some(path) = found else {
            return Ok(None);
        };
        let text =
            std::fs::read_to_string(&path).map_err(|error| Fault::failed(format!("`{}` cannot be read: {error}", path.display())))?;
        let span = crate::base::Span::of_file(&path);
        let mode = Mode::File { options: Box::default(), file: span.file.clone() };
        self.scope.templar.code(&text.into(), &mode, &span).map(Some)
    }

    pub fn include(&mut self, template: &Expression, ignore_missing: bool, sink: &mut Sink) -> Outcome<()> {
        let Some(code) = self.load(template, ignore_missing)? else {
            return Ok(());
        };
        let _nested = Nested::enter().map_err(|fault| fault.at(&self.origin, template.position))?;
        let mut inner = Machine { frames: self.frames.clone(), ..Machine::new(self.scope.clone(), file_origin(&code)) };
        inner.frames.push(frame());
        let value = inner.run()?;
        sink.push(value)
    }

    /// What a template that is imported defines, and what it is as text.
    pub fn module(&mut self, template: &Expression) -> Outcome<(IndexMap<Arc<str>, Val>, Val)> {
        let Some(code) = self.load(template, false)? else {
            return Ok((IndexMap::new(), Val::str("")));
        };
        let _nested = Nested::enter().map_err(|fault| fault.at(&self.origin, template.position))?;
        let mut inner = Machine { frames: self.frames.clone(), ..Machine::new(self.scope.clone(), file_origin(&code)) };
        let top = frame();
        inner.frames.push(top.clone());
        let text = inner.run().unwrap_or_else(Val::Missing);
        let names = lock(&top).iter().cloned().collect();
        Ok((names, text))
    }

    pub fn import_names(&mut self, template: &Expression, names: &[(Arc<str>, Arc<str>)]) -> Outcome<()> {
        let (module, _) = self.module(template)?;
        for (name, alias) in names {
            let value = module.get(name).cloned().unwrap_or_else(|| {
                let fault = Fault::undefined(format!("the imported template has no `{name}`"));
                Val::Missing(fault.did_you_mean(name, module.keys().map(AsRef::as_ref)))
            });
            self.set(alias.clone(), value);
        }
        Ok(())
    }
}

pub(crate) fn file_origin(code: &Arc<Code>) -> Origin {
    Origin { span: code.span.clone(), style: crate::base::source::Style::Plain, code: code.clone() }
}
