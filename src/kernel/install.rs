//! The file by which Jupyter finds the kernel.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use jupyter_protocol::JupyterKernelspec;
use jupyter_zmq_client::user_data_dir;

use crate::environment;
use crate::error::{Error, Result};
use crate::files::own;

/// The name of the kernel and of its folder.
const NAME: &str = "cpsd";
const FILE: &str = "kernel.json";

/// Where kernels are.
#[derive(Clone, Debug)]
pub enum Place {
    /// Those of the person.
    User,
    /// Those of an environment: `DIR/share/jupyter`.
    Prefix(PathBuf),
}

impl Place {
    /// Errors: a person without a home folder.
    fn folder(&self) -> Result<PathBuf> {
        let data = match self {
            Place::Prefix(folder) => folder.join("share/jupyter"),
            Place::User => match environment::path("JUPYTER_DATA_DIR") {
                Some(folder) => folder,
                None => user_data_dir().map_err(|_| {
                    Error::argument("there is no home folder for the kernel").with_help("--prefix DIR names a place")
                })?,
            },
        };
        Ok(data.join("kernels").join(NAME))
    }
}

/// Writes the kernel's file, which starts `program`. Gives back its folder.
///
/// Errors: Io.
pub fn install(place: &Place, program: &Path) -> Result<PathBuf> {
    let folder = place.folder()?;
    let words = ["kernel", "run", "{connection_file}"].map(String::from);
    let specification = JupyterKernelspec {
        argv: std::iter::once(program.to_string_lossy().into_owned()).chain(words).collect(),
        display_name: NAME.into(),
        language: "rhai".into(),
        metadata: Some(HashMap::from([("debugger".into(), false.into())])),
        // A second SIGINT ends the process; a second interrupt of a notebook does not.
        interrupt_mode: Some("message".into()),
        env: Some(HashMap::new()),
    };
    let text = serde_json::to_string_pretty(&specification).map_err(|e| Error::internal(e.to_string()))?;
    own::create_folders(&folder)?;
    own::write(&folder.join(FILE), format!("{text}\n").as_bytes())?;
    Ok(folder)
}

/// Removes the kernel's folder, and gives it back.
///
/// Errors: there is none, or what is there is not this kernel's; Io.
pub fn uninstall(place: &Place) -> Result<PathBuf> {
    let folder = place.folder()?;
    let file = folder.join(FILE);
    if own::is_absent(&file) {
        let elsewhere = "`jupyter kernelspec list` shows where kernels are; --prefix DIR names another place";
        return Err(
            Error::argument(format!("no kernel cpsd is installed in {}", folder.display())).with_help(elsewhere)
        );
    }
    let specification: Option<JupyterKernelspec> = serde_json::from_str(&own::read_text(&file)?).ok();
    if !specification.is_some_and(|spec| spec.argv.iter().any(|word| word == "kernel")) {
        return Err(Error::in_file(&file, "this is not the kernel of cpsd, and stays"));
    }
    own::remove_folder(&folder).map_err(|e| Error::io(&folder, e))?;
    Ok(folder)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_installed_is_found_and_removed() {
        let folder = tempfile::tempdir().unwrap();
        let place = Place::Prefix(folder.path().into());
        assert!(uninstall(&place).unwrap_err().message.contains("no kernel cpsd"));
        let program = Path::new("/opt/my tools/cpsd");
        let there = install(&place, program).unwrap();
        assert_eq!(there, folder.path().join("share/jupyter/kernels/cpsd"));
        let text = std::fs::read_to_string(there.join("kernel.json")).unwrap();
        let spec: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(spec["argv"], serde_json::json!(["/opt/my tools/cpsd", "kernel", "run", "{connection_file}"]));
        assert!(spec["interrupt_mode"] == "message" && spec["metadata"].is_object() && spec["env"].is_object());
        // Once more, over what is there.
        install(&place, program).unwrap();
        assert_eq!(uninstall(&place).unwrap(), there);
        assert!(!there.exists());
        // Somebody else's stays.
        std::fs::create_dir_all(&there).unwrap();
        std::fs::write(
            there.join("kernel.json"),
            "{\"argv\": [\"python\"], \"display_name\": \"x\", \"language\": \"x\"}",
        )
        .unwrap();
        assert!(uninstall(&place).unwrap_err().message.contains("not the kernel of cpsd") && there.exists());
    }
}
