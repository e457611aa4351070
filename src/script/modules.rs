//! Resolves `import "name"`: the embedded standard library, the script's folder, then CPSD_PATH.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use rhai::module_resolvers::ModuleResolversCollection;
use rhai::{Engine, EvalAltResult, Module, ModuleResolver, Position, Scope, Shared};

use super::session::Sources;
use crate::files;

/// The standard library: name and text of each file of `stdlib/`.
pub const STDLIB: &[(&str, &str)] = &[
    ("experiment", include_str!("../../stdlib/experiment.rhai")),
    ("method", include_str!("../../stdlib/method.rhai")),
    ("report", include_str!("../../stdlib/report.rhai")),
    ("reproduce", include_str!("../../stdlib/reproduce.rhai")),
    ("sweep", include_str!("../../stdlib/sweep.rhai")),
];

/// The names of the embedded libraries.
pub fn embedded_names() -> impl Iterator<Item = &'static str> {
    STDLIB.iter().map(|(name, _)| *name)
}

/// Finds libraries, compiles each once, and keeps its text for error messages.
pub struct Libraries {
    sources: Sources,
    loaded: RefCell<BTreeMap<String, Shared<Module>>>,
}

impl Libraries {
    pub fn new(sources: Sources) -> Self {
        Libraries { sources, loaded: RefCell::default() }
    }
}

/// The displayed name and the text of the library that `importer` imports as `path`.
pub fn find(path: &str, importer: Option<&str>) -> Option<(String, String)> {
    if let Some((name, text)) = STDLIB.iter().find(|(name, _)| *name == path) {
        return Some((format!("stdlib/{name}.rhai"), text.to_string()));
    }
    let mut folders: Vec<PathBuf> = Vec::new();
    folders.push(importer.and_then(|i| Path::new(i).parent()).map_or_else(PathBuf::new, Path::to_path_buf));
    if let Some(paths) = std::env::var_os("CPSD_PATH") {
        folders.extend(std::env::split_paths(&paths));
    }
    folders.into_iter().find_map(|folder| {
        let mut file = folder.join(path);
        if file.extension().is_none() {
            file.set_extension("rhai");
        }
        files::read_text(&file).ok().map(|text| (file.display().to_string(), text))
    })
}

impl ModuleResolver for Libraries {
    fn resolve(
        &self,
        engine: &Engine,
        source: Option<&str>,
        path: &str,
        pos: Position,
    ) -> Result<Shared<Module>, Box<EvalAltResult>> {
        let Some((name, text)) = find(path, source) else {
            return Err(Box::new(EvalAltResult::ErrorModuleNotFound(path.to_string(), pos)));
        };
        // An edited library is read again; an unchanged one is not.
        if self.sources.text(&name).as_deref() == Some(text.as_str())
            && let Some(module) = self.loaded.borrow().get(&name)
        {
            return Ok(module.clone());
        }
        self.sources.add(&name, &text);
        let in_module = |e: Box<EvalAltResult>| Box::new(EvalAltResult::ErrorInModule(name.clone(), e, pos));
        let mut ast = engine.compile(&text).map_err(|e| in_module(e.into()))?;
        ast.set_source(&name);
        self.sources.add_closures(&name, &ast);
        let module = Module::eval_ast_as_new(Scope::new(), &ast, engine).map_err(in_module)?;
        let module: Shared<Module> = module.into();
        self.loaded.borrow_mut().insert(name, module.clone());
        Ok(module)
    }
}

/// Puts the resolver into an engine.
pub fn install(engine: &mut Engine, sources: Sources) {
    let mut chain = ModuleResolversCollection::new();
    chain.push(Libraries::new(sources));
    engine.set_module_resolver(chain);
}
