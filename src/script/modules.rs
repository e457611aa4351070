//! Resolves `import "name"`: the embedded standard library, the script's folder, then the folders of the setting `libraries` (CPSD_PATH).

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path, PathBuf};

use rhai::{Dynamic, Engine, EvalAltResult, FnNamespace, Module, ModuleResolver, Position, Scope, Shared};

use super::constants::{self, Constants};
use super::errors::Raised;
use super::parsing;
use super::session::Sources;
use crate::configuration;
use crate::error::{self, Error};
use crate::files;

/// The standard library: name and text of each file of `stdlib/`.
pub const STDLIB: &[(&str, &str)] = &[
    ("advise", include_str!("../../stdlib/advise.rhai")),
    ("controls", include_str!("../../stdlib/controls.rhai")),
    ("data", include_str!("../../stdlib/data.rhai")),
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

/// A library that was loaded.
#[derive(Clone)]
pub struct Library {
    pub module: Shared<Module>,
    /// All its functions, the private ones too.
    pub functions: Shared<Module>,
    /// None where it has none.
    pub constants: Option<Constants>,
}

/// Finds libraries, compiles each once, and keeps its text for error messages.
pub struct Libraries {
    sources: Sources,
    /// Text and module of each library, by its displayed name.
    loaded: RefCell<BTreeMap<String, (String, Shared<Module>)>>,
    /// The names of the libraries that are being loaded, outermost first, after that of the text that imports the first.
    loading: RefCell<Vec<String>>,
}

/// So many libraries may import each other in a row. Each takes a part of the stack.
pub const DEEPEST: usize = 100;

impl Libraries {
    pub fn new(sources: Sources) -> Self {
        Libraries { sources, loaded: RefCell::default(), loading: RefCell::default() }
    }

    /// Errors: `name` is being loaded already; too many are.
    fn begin(&self, importer: Option<&str>, name: &str) -> Result<(), Error> {
        let mut loading = self.loading.borrow_mut();
        if loading.is_empty() {
            loading.push(importer.unwrap_or_default().to_string());
        }
        let outcome = match loading.iter().position(|other| is_same(other, name)) {
            Some(from) => Err(circle(loading[from..].iter().map(String::as_str).chain([name]))),
            None if loading.len() > DEEPEST => Err(too_deep()),
            None => {
                loading.push(name.to_string());
                return Ok(());
            }
        };
        if loading.len() == 1 {
            loading.clear();
        }
        outcome
    }

    fn end(&self) {
        let mut loading = self.loading.borrow_mut();
        let _ = loading.pop();
        if loading.len() == 1 {
            loading.clear();
        }
    }
}

/// The error of libraries that import each other: each name, and the first once more.
pub fn circle<'a>(names: impl Iterator<Item = &'a str>) -> Error {
    let names: Vec<&str> = names.collect();
    let all = match names.as_slice() {
        [first, .., last] if names.len() > 8 => format!("{first} → {} others → {last}", names.len() - 2),
        names => names.join(" → "),
    };
    let message = match names.len() {
        2 => format!("{} imports itself", names[0]),
        _ => format!("these import each other in a circle: {all}"),
    };
    Error::argument(message).with_help("functions that both need go into a library of their own")
}

/// The error of a library that is imported through too many others.
pub fn too_deep() -> Error {
    Error::argument(format!("libraries import each other more than {DEEPEST} deep"))
}

/// Whether two displayed names are of one file, as far as their texts tell.
pub fn is_same(a: &str, b: &str) -> bool {
    a == b || plain(a) == plain(b)
}

/// A path without `.` and without `x/..`.
pub fn plain(path: &str) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in Path::new(path).components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir if matches!(plain.components().next_back(), Some(Component::Normal(_))) => {
                let _ = plain.pop();
            }
            part => plain.push(part),
        }
    }
    plain
}

/// Texts that are read in place of files, by their displayed names: those that an editor has not saved.
pub type Unsaved<'a> = dyn Fn(&str) -> Option<String> + 'a;

/// The displayed name and the text of the library that `importer` imports as `path`; None if there is none.
///
/// Errors: one that cannot be read.
pub fn find(path: &str, importer: Option<&str>) -> Result<Option<(String, String)>, Error> {
    find_with(path, importer, &|_| None)
}

/// As [`find`], with texts that are read in place of files.
pub fn find_with(path: &str, importer: Option<&str>, unsaved: &Unsaved) -> Result<Option<(String, String)>, Error> {
    if let Some((name, text)) = STDLIB.iter().find(|(name, _)| *name == path) {
        return Ok(Some((format!("stdlib/{name}.rhai"), text.to_string())));
    }
    let files = folders(importer).into_iter().map(|folder| {
        let mut file = folder.join(path);
        if file.extension().is_none() {
            file.set_extension("rhai");
        }
        file
    });
    for file in files {
        let name = file.display().to_string();
        if let Some(text) = unsaved(&name) {
            return Ok(Some((name, text)));
        }
        if file.exists() {
            return Ok(Some((name, files::read_text(&file)?)));
        }
    }
    Ok(None)
}

/// The folders in which the libraries that `importer` imports are, in order.
fn folders(importer: Option<&str>) -> Vec<PathBuf> {
    let beside = importer.and_then(|i| Path::new(i).parent()).map_or_else(PathBuf::new, Path::to_path_buf);
    [vec![beside], configuration::folders("libraries")].concat()
}

/// What `importer` may write for the files that lie where a path that begins with `begun` leads. If a part of a name is typed, the folders
/// there too, with a slash at the end.
pub fn files_from(begun: &str, importer: Option<&str>) -> BTreeSet<String> {
    let (typed, last) = begun.split_at(begun.rfind('/').map_or(0, |at| at + 1));
    let mut found = BTreeSet::new();
    for folder in folders(importer) {
        let folder = folder.join(typed);
        let place = if folder.as_os_str().is_empty() { Path::new(".") } else { &folder };
        // One that is not there, or that a script may not read, has nothing to offer.
        for entry in files::entries(place).into_iter().flatten() {
            let name = entry.file_name();
            let Some(name) = name.to_str().filter(|name| !name.contains(['"', '\\']) && !name.starts_with('.')) else {
                continue;
            };
            let path = folder.join(name);
            if name.contains(char::is_control) || importer.is_some_and(|own| is_same(own, &path.to_string_lossy())) {
                continue;
            }
            let _ = match name.strip_suffix(".rhai") {
                // Behind a dot of its own the ending is no longer implied.
                Some(stem) => found.insert(format!("{typed}{}", if stem.contains('.') { name } else { stem })),
                None => !last.is_empty() && path.is_dir() && found.insert(format!("{typed}{name}/")),
            };
        }
    }
    found
}

/// The name of a library, embedded or in a file, that `importer` probably means by `path`.
pub fn nearest(path: &str, importer: Option<&str>) -> Option<String> {
    let (typed, last) = path.split_at(path.rfind('/').map_or(0, |at| at + 1));
    let files = files_from(typed, importer);
    let mut names: Vec<&str> = if typed.is_empty() { embedded_names().collect() } else { vec![] };
    names.extend(files.iter().filter_map(|name| name.strip_prefix(typed)));
    error::nearest(last.strip_suffix(".rhai").unwrap_or(last), names).map(|near| format!("{typed}{near}"))
}

impl ModuleResolver for Libraries {
    fn resolve(
        &self,
        engine: &Engine,
        source: Option<&str>,
        path: &str,
        pos: Position,
    ) -> Result<Shared<Module>, Box<EvalAltResult>> {
        let raised = |error| Box::new(EvalAltResult::ErrorRuntime(Dynamic::from(Raised(error)), pos));
        let Some((name, text)) = find(path, source).map_err(raised)? else {
            return Err(Box::new(EvalAltResult::ErrorModuleNotFound(path.to_string(), pos)));
        };
        // An edited library is read again; an unchanged one is not.
        if let Some((known, module)) = self.loaded.borrow().get(&name)
            && *known == text
        {
            return Ok(module.clone());
        }
        self.begin(source, &name).map_err(raised)?;
        struct End<'a>(&'a Libraries);
        impl Drop for End<'_> {
            fn drop(&mut self) {
                self.0.end();
            }
        }
        let _end = End(self);
        self.sources.add(&name, &text);
        let in_module = |e: Box<EvalAltResult>| Box::new(EvalAltResult::ErrorInModule(name.clone(), e, pos));
        let mut ast = parsing::parse(engine, &Scope::new(), &text).map_err(in_module)?;
        ast.set_source(&name);
        self.sources.add_closures(&name, &ast);
        let functions = ast.shared_lib().clone();
        let _ = ast.combine(constants::last());
        let mut module = Module::eval_ast_as_new(Scope::new(), &ast, engine).map_err(in_module)?;
        let constants = constants::of_library();
        show_closures(&mut module, &functions);
        let module: Shared<Module> = module.into();
        self.sources.add_library(Library { module: module.clone(), functions, constants });
        self.loaded.borrow_mut().insert(name, (text, module.clone()));
        Ok(module)
    }
}

/// Lets a library's closures be called by all who are given them: their names are their own.
fn show_closures(module: &mut Module, functions: &Module) {
    let closures = functions.iter_script_fn_info().filter(|(_, _, name, ..)| name.starts_with("anon$"));
    for (.., definition) in closures {
        // A module tells the hash of a function when it gets one.
        let hash = Module::new().set_script_fn(definition.clone());
        #[allow(deprecated)] // The other way is for functions of Rust alone.
        let _ = module.update_fn_namespace(hash, FnNamespace::Global);
    }
    let _ = module.build_index();
}

/// Puts the resolver into an engine.
pub fn install(engine: &mut Engine, sources: Sources) {
    // Not in a collection of resolvers, which panics where a resolver's error is one of cpsd.
    engine.set_module_resolver(Libraries::new(sources));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_beside_the_importer_are_offered_and_suggested() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        std::fs::create_dir_all(at("parts/own")).unwrap();
        for name in ["main.rhai", "advice.rhai", "a.b.rhai", "notes.txt", ".hidden.rhai", "parts/heads.rhai"] {
            std::fs::write(at(name), "").unwrap();
        }
        let main = at("main.rhai").display().to_string();
        let files = |begun: &str| files_from(begun, Some(&main)).into_iter().collect::<Vec<_>>();
        assert_eq!(files(""), ["a.b.rhai", "advice"]);
        assert_eq!(files("p"), ["a.b.rhai", "advice", "parts/"]);
        assert_eq!(files("parts/"), ["parts/heads"]);
        assert_eq!(files("parts/o"), ["parts/heads", "parts/own/"]);
        assert_eq!(files("nowhere/"), [""; 0]);
        let near = |path: &str| nearest(path, Some(&main));
        assert_eq!(near("advicee.rhai").as_deref(), Some("advice"));
        assert_eq!(near("metod").as_deref(), Some("method"));
        assert_eq!(near("parts/haeds").as_deref(), Some("parts/heads"));
        assert_eq!((near("parts/metod"), near("mian"), near("nothing")), (None, None, None));
    }
}
