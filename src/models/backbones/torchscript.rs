//! Any PyTorch model: a traced or scripted module from a file as a backbone of one stage.

use std::path::{Path, PathBuf};

use parking_lot::Mutex;
use tch::{CModule, Kind, Tensor};

use super::super::params::Scope;
use super::{Backbone, BackboneKind, COMMON, PublishedWeights, StageInfo};
use crate::error::{Error, Result};
use crate::files;
use crate::models::ModelSpec;

/// The file is `spec.path`, and it is a program: whether it may run is the policy's answer ([`files::policy`]). Pictures are in [0, 1], so a module that expects another scale must normalise them itself.
///
/// The module returns `[N, C, h, w]`, or `[N, C]`, which counts as one position. Its parameters are trained in place,
/// under their own names, except those that need no gradient in the file. It always runs in evaluation mode: its batch
/// statistics stay as in the file, because the buffers of a module cannot be reached from outside.
pub const TORCHSCRIPT: BackboneKind = BackboneKind {
    name: "torchscript",
    summary: "any traced or scripted PyTorch module: path names its file; pictures in [0, 1]; batch statistics stay fixed",
    mean: [0.0; 3],
    std: [1.0; 3],
    crop_pct: 1.0,
    stages: || vec![StageInfo { name: "module", channels: 0, stride: 0 }],
    build: |p, spec| Ok(Box::new(Module::load(p, spec)?)),
    from_file: true,
    classifier: "head.classifier",
    first_conv: "",
    paper: "the module's own",
    weights: PublishedWeights { note: "those in the module", ..PublishedWeights::NONE },
    ..COMMON
};

struct Module {
    // libtorch does not document whether several threads may run one module.
    module: Mutex<CModule>,
    path: PathBuf,
    channels: i64,
    /// A hash of the file, whose code is part of the function that the model computes.
    hash: String,
}

impl Module {
    fn load(p: &Scope, spec: &ModelSpec) -> Result<Module> {
        let Some(path) = spec.path.as_deref().map(Path::new) else {
            return Err(
                Error::argument("backbone \"torchscript\" needs the path of a module").about_name("torchscript")
            );
        };
        files::policy::may_run_code(path)?;
        let bytes = files::read(path)?;
        let bad = |what: &str| {
            Error::in_file(path, format!("not a TorchScript module that can be used: {what}"))
                .with_help("it is written by torch.jit.trace(model.eval(), example).save(path) or torch.jit.script(model).save(path)")
        };
        // Read from the bytes that are hashed: the file may change meanwhile.
        let mut module =
            CModule::load_data_on_device(&mut bytes.as_slice(), p.device).map_err(|e| bad(&Error::from(e).message))?;
        module.f_set_eval().map_err(|e| bad(&Error::from(e).message))?;
        for (name, tensor) in module.named_parameters()? {
            let frozen = spec.freeze > 0 || !tensor.requires_grad();
            p.frozen_if(frozen).adopt(&name, tensor).map_err(|e| bad(&e.message))?;
        }
        let mut module = Module {
            module: Mutex::new(module),
            path: path.to_path_buf(),
            channels: 0,
            hash: blake3::hash(&bytes).to_hex().to_string(),
        };
        let side = spec.image_size.unwrap_or(TORCHSCRIPT.image_size);
        let picture = Tensor::f_zeros([1, 3, side, side], (Kind::Float, p.device))?;
        module.channels = tch::no_grad(|| module.run(&picture))?.size()[1];
        if let Some(features) = spec.features
            && features != module.channels
        {
            return Err(Error::argument(format!(
                "features of {} must be {}, which it gives for a picture of {side} pixels. Got {features} instead.",
                path.display(),
                module.channels
            )));
        }
        Ok(module)
    }

    /// `[N, 3, H, W]` → `[N, C, h, w]`.
    fn run(&self, x: &Tensor) -> Result<Tensor> {
        let module = self.module.lock();
        // Otherwise the first runs profile and later ones may fuse, which changes the last bits, so that a resumed
        // training would differ from an uninterrupted one.
        tch::jit::f_set_graph_executor_optimize(false)?;
        let said = |e: Error| {
            let message =
                format!("{}: the module failed on pictures {:?}: {}", self.path.display(), x.size(), e.message);
            Error { message, ..e }.about_file(&self.path)
        };
        let y = module.forward_ts(&[x.f_contiguous()?]).map_err(|e| said(e.into()))?;
        let size = y.size();
        match (y.kind(), size.len()) {
            (Kind::Float, 4) => Ok(y),
            (Kind::Float, 2) => Ok(y.f_view([size[0], size[1], 1, 1])?),
            (kind, _) => Err(Error::in_file(
                &self.path,
                format!("the module must give Float [N, C, h, w] or [N, C]. Got {kind:?} {size:?} instead."),
            )),
        }
    }
}

impl Backbone for Module {
    fn stage(&self, _stage: usize, x: &Tensor, _train: bool) -> Result<Tensor> {
        self.run(x)
    }

    fn channels(&self) -> Option<i64> {
        Some(self.channels)
    }

    fn fingerprint(&self) -> Option<String> {
        Some(self.hash.clone())
    }
}
