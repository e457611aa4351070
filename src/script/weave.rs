//! `cpsd doc --weave`: runs the code blocks of a Markdown text, and puts their output behind them.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use super::errors::Failure;
use super::session::Session;
use super::show;
use crate::error::{Error, Result};
use crate::files::{self, policy};

/// Runs the ```` ```rust ```` blocks of `source` in order in one session, and writes `into` with the output of each
/// block behind it, as the prompt shows it. Figures that a block saves are copied to `img/` beside `into`, and shown.
///
/// The blocks run in a temporary folder inside the working folder, with a run store of their own.
///
/// Errors: a block that fails, at its place in `source`; files that cannot be read or written.
pub fn weave(source: &Path, into: &Path) -> Result<(), Failure> {
    let plain = Failure::plain;
    let text = files::read_text(source).map_err(plain)?;
    let here = std::env::current_dir().map_err(|e| plain(Error::io(".", e)))?;
    let into = here.join(into);
    let work = files::own::temporary_folder(&here, ".cpsd-weave-").map_err(plain)?;
    // Its name begins with a dot, so that nobody takes it for a result.
    policy::allow_write(work.path());
    let enter = |folder: &Path| std::env::set_current_dir(folder).map_err(|e| plain(Error::io(folder, e)));
    enter(work.path())?;
    let woven = Weaver::new(work.path(), &into).run(&text, &source.display().to_string());
    enter(&here)?;
    files::write(&into, woven?.as_bytes()).map_err(plain)
}

struct Weaver<'a> {
    session: Session,
    printed: Rc<RefCell<String>>,
    work: &'a Path,
    into: &'a Path,
    /// Figures already shown.
    figures: BTreeSet<PathBuf>,
}

impl<'a> Weaver<'a> {
    fn new(work: &'a Path, into: &'a Path) -> Self {
        let mut session = Session::new();
        *session.host.runs.borrow_mut() = work.join("runs");
        let printed = Rc::new(RefCell::new(String::new()));
        let sink = printed.clone();
        session.engine.on_print(move |text| {
            sink.borrow_mut().push_str(text);
            sink.borrow_mut().push('\n');
        });
        Weaver { session, printed, work, into, figures: BTreeSet::new() }
    }

    fn run(mut self, text: &str, name: &str) -> Result<String, Failure> {
        let mut out = String::new();
        let mut code: Option<String> = None;
        for (i, line) in text.lines().enumerate() {
            match &mut code {
                None => {
                    if line.trim_end() == "```rust" {
                        // Blank lines in front keep line numbers in errors right.
                        code = Some("\n".repeat(i + 1));
                    }
                    out.push_str(line);
                    out.push('\n');
                }
                Some(block) if line.trim_end() == "```" => {
                    out.push_str("```\n");
                    let block = std::mem::take(block);
                    code = None;
                    out.push_str(&self.block(&block, name)?);
                }
                Some(block) => {
                    block.push_str(line);
                    block.push('\n');
                    out.push_str(line);
                    out.push('\n');
                }
            }
        }
        Ok(out)
    }

    /// Runs one block; returns its output as Markdown.
    fn block(&mut self, code: &str, name: &str) -> Result<String, Failure> {
        let value = self.session.eval(code, name)?;
        let mut shown = std::mem::take(&mut *self.printed.borrow_mut());
        if !value.is_unit() && !code.trim_end().ends_with(';') {
            shown.push_str(&show::show(&value));
        }
        let mut out = String::new();
        if !shown.trim().is_empty() {
            let lines: Vec<&str> = shown.lines().map(str::trim_end).collect();
            out.push_str(&format!("\n```text\n{}\n```\n", lines.join("\n").trim_end()));
        }
        for figure in self.new_figures().map_err(Failure::plain)? {
            out.push_str(&format!("\n{figure}\n"));
        }
        Ok(out)
    }

    /// Copies the figures that the last block saved; returns their Markdown.
    fn new_figures(&mut self) -> Result<Vec<String>> {
        let entries = files::own::list(self.work)?.into_iter();
        let is_figure = |path: &PathBuf| path.extension().is_some_and(|e| e == "png" || e == "svg");
        let found: Vec<PathBuf> = entries.filter(is_figure).filter(|path| !self.figures.contains(path)).collect();
        let page = self.into.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let mut shown = Vec::new();
        for path in found {
            let mut name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let mut bytes = files::own::read(&path)?;
            if let Some(smaller) = smaller(&bytes) {
                name = format!("{}.jpg", path.file_stem().unwrap_or_default().to_string_lossy());
                bytes = smaller;
            }
            files::write(&self.into.with_file_name("img").join(&page).join(&name), &bytes)?;
            let title = path.file_stem().unwrap_or_default().to_string_lossy().replace('_', " ");
            shown.push(format!("![{title}](img/{page}/{name})"));
            self.figures.insert(path);
        }
        Ok(shown)
    }
}

/// A large PNG as JPEG: it contains photographs.
fn smaller(bytes: &[u8]) -> Option<Vec<u8>> {
    const MOST: usize = 100_000;
    if bytes.len() <= MOST {
        return None;
    }
    let picture = image::load_from_memory_with_format(bytes, image::ImageFormat::Png).ok()?.to_rgb8();
    let encoded = |quality: u8| {
        let mut out = Vec::new();
        image::codecs::jpeg::JpegEncoder::new_with_quality(&mut out, quality).encode_image(&picture).ok().map(|()| out)
    };
    [88, 80, 70, 60].into_iter().filter_map(encoded).find(|out| out.len() <= MOST)
}
