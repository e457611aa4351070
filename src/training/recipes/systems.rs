//! The systems that the paper compares with, as their authors trained them: one training each, on the whole training split, the
//! best epoch selected on the test split, as the published scripts do.

use serde_json::{Value, json};

use super::merge;
use crate::error::{Error, Result};
use crate::models::heads;

/// One compared system on one data set.
pub struct System {
    pub name: &'static str,
    pub data: &'static str,
    pub summary: &'static str,
    /// The origin of the values: repository, commit and script, or the paper.
    pub source: &'static str,
    /// The remaining differences from the source, and the values that it does not give.
    pub differs: &'static str,
    /// The options of the data set, as JSON.
    dataset: &'static str,
    /// The options that several systems share.
    base: fn() -> Value,
    /// Options of the training that differ from the base, as JSON.
    train: &'static str,
    /// The [`MetricOptions`](crate::metrics::MetricOptions) of its tables, as JSON.
    evaluate: &'static str,
}

/// The keys that most systems share: no picture held out, SGD, the evaluation of ML-GCN's code.
const MOST: System = System {
    name: "",
    data: "",
    summary: "",
    source: "",
    differs: "",
    dataset: r#"{"val": 0.0}"#,
    base: sgd,
    train: "{}",
    evaluate: r#"{"convention": "ml-gcn", "top_k": 3}"#,
};

/// All compared systems.
pub const SYSTEMS: &[System] = &[
    System {
        name: "resnet101-coco",
        data: "coco2014",
        summary: "ResNet-101, average pooling (He et al. 2016)",
        source: ML_GCN,
        differs: "no script of this row was published; its numbers are those of ML-GCN's table, so its training is ML-GCN's. \
                  The paper prints 224 pixels",
        base: ml_gcn,
        train: r#"{"model": {"head": "gap", "image_size": 224}}"#,
        ..MOST
    },
    System {
        name: "srn-coco",
        data: "coco2014",
        summary: "Spatial Regularization Network (Zhu et al. 2017)",
        source: SRN,
        differs: SRN_DIFFERS,
        train: SRN_TRAIN,
        evaluate: r#"{"convention": "srn", "top_k": 3}"#,
        ..MOST
    },
    System {
        name: "srn-nuswide",
        data: "nuswide",
        summary: "Spatial Regularization Network (Zhu et al. 2017)",
        source: SRN,
        differs: SRN_DIFFERS,
        train: SRN_TRAIN,
        evaluate: r#"{"convention": "srn", "top_k": 3}"#,
        ..MOST
    },
    System {
        name: "ml-gcn-coco",
        data: "coco2014",
        summary: "ML-GCN (Chen et al. 2019)",
        source: ML_GCN,
        differs: ML_GCN_DIFFERS,
        base: ml_gcn,
        train: ML_GCN_TRAIN,
        ..MOST
    },
    System {
        name: "ml-gcn-voc2007",
        data: "voc2007",
        summary: "ML-GCN (Chen et al. 2019)",
        source: ML_GCN,
        differs: "as ml-gcn-coco; objects marked difficult count as present in testing too, where the script leaves them out",
        base: ml_gcn,
        train: ML_GCN_TRAIN,
        ..MOST
    },
    System {
        name: "ml-gcn-resnext50-coco",
        data: "coco2014",
        summary: "ML-GCN on ResNeXt-50 (swsl), as the authors of MGTN trained it",
        source: MGTN,
        differs: "no script of this row was published: MGTN's training with ML-GCN's head",
        train: r#"{"model": {"backbone": "resnext50_32x4d", "weights": "swsl", "head": "ml_gcn", "word_vectors": "glove.txt"},
                   "lr": 0.03, "epochs": 200, "milestones": [20, 30], "batch": 32, "clip": 10.0}"#,
        ..MOST
    },
    System {
        name: "ssgrl-coco",
        data: "coco2014",
        summary: "Semantic-Specific Graph Representation Learning (Chen et al. 2019)",
        source: "github.com/HCPLab-SYSU/SSGRL ea47ccb, main_coco.sh",
        differs: SSGRL_DIFFERS,
        base: adam,
        train: SSGRL_TRAIN,
        evaluate: r#"{"convention": "q2l", "top_k": 3}"#,
        ..MOST
    },
    System {
        name: "ssgrl-voc2007",
        data: "voc2007",
        summary: "Semantic-Specific Graph Representation Learning (Chen et al. 2019)",
        source: "github.com/HCPLab-SYSU/SSGRL ea47ccb, main_voc07.sh",
        differs: "as ssgrl-coco; the script's reader of VOC was not published, so its treatment of objects marked difficult is \
                  unknown: here they count as present",
        base: adam,
        train: SSGRL_TRAIN,
        evaluate: r#"{"convention": "q2l", "top_k": 3}"#,
        ..MOST
    },
    System {
        name: "add-gcn-coco",
        data: "coco2014",
        summary: "Attention-Driven Dynamic GCN (Ye et al. 2020) at 576 pixels",
        source: "github.com/Yejin0111/ADD-GCN b7653fe, main.py",
        differs: "the script's input is 448 pixels by default; 576 is that of the paper's row. Its rates fall one epoch late, after 31 \
                  and 41 epochs, as here",
        train: r#"{"model": {"head": "add_gcn", "image_size": 576}, "lr": 0.05, "epochs": 50, "milestones": [31, 41],
                   "batch": 16, "drop_last": true, "clip": 10.0, "augment": {"resize_first": 640}}"#,
        ..MOST
    },
    System {
        name: "add-gcn-voc2007",
        data: "voc2007",
        summary: "Attention-Driven Dynamic GCN (Ye et al. 2020)",
        source: "github.com/Yejin0111/ADD-GCN b7653fe, main.py",
        differs: "objects marked difficult count as present in testing too, where the script leaves them out",
        train: r#"{"model": {"head": "add_gcn"}, "lr": 0.05, "epochs": 50, "milestones": [31, 41],
                   "batch": 16, "drop_last": true, "clip": 10.0}"#,
        ..MOST
    },
    System {
        name: "kssnet-coco",
        data: "coco2014",
        summary: "KSSNet (Wang et al. 2020)",
        source: "Wang et al., Multi-Label Classification with Label Graph Superimposing, AAAI 2020",
        differs: "the authors' public code is for video: the training is ML-GCN's, and a guess",
        base: ml_gcn,
        train: r#"{"model": {"head": "kssnet", "word_vectors": "glove.txt"}}"#,
        ..MOST
    },
    System {
        name: "c-tran-coco",
        data: "coco2014",
        summary: "C-Tran (Lanchantin et al. 2021)",
        source: "github.com/QData/C-Tran 560cf6f, main.py with the README's options",
        differs: C_TRAN_DIFFERS,
        base: adam,
        train: r#"{"model": {"head": "c_tran", "image_size": 576}, "loss": {"reduction": "sum"}, "lr": 1e-5, "epochs": 100,
                   "batch": 16, "augment": {"crop": "squares", "resize_first": 640}}"#,
        evaluate: r#"{"convention": "field", "above_threshold": true, "top_k": 3}"#,
        ..MOST
    },
    System {
        name: "c-tran-voc2007",
        data: "voc2007",
        summary: "C-Tran (Lanchantin et al. 2021)",
        source: "github.com/QData/C-Tran 560cf6f, main.py with the README's options",
        differs: C_TRAN_DIFFERS,
        dataset: r#"{"val": 0.0, "difficult": false}"#,
        base: adam,
        train: r#"{"model": {"head": "c_tran", "image_size": 576}, "loss": {"reduction": "sum"}, "lr": 1e-5, "epochs": 100,
                   "batch": 16, "accumulate": 2, "augment": {"crop": "squares", "resize_first": 640}}"#,
        evaluate: r#"{"convention": "field", "above_threshold": true, "top_k": 3}"#,
    },
    System {
        name: "mgtn-coco",
        data: "coco2014",
        summary: "Modular Graph Transformer Networks (Nguyen et al. 2021) on two ResNeXt-50 (swsl)",
        source: MGTN,
        differs: "the head divides the labels among the two networks, where the script reads coco_mod.txt (79 of 80 labels are the same)",
        train: r#"{"model": {"backbone": "resnext50_32x4d", "weights": "swsl", "head": "mgtn", "word_vectors": "glove.txt"},
                   "lr": 0.03, "epochs": 200, "milestones": [20, 30], "batch": 32, "clip": 10.0}"#,
        ..MOST
    },
    System {
        name: "dsdl-coco",
        data: "coco2014",
        summary: "Deep Semantic Dictionary Learning (Zhou et al. 2021)",
        source: "github.com/ZFT-CQU/DSDL 024b3a6, coco/demo_coco.py",
        differs: "nothing known",
        train: r#"{"model": {"head": "dsdl", "word_vectors": "glove.txt"}, "lr": 0.01, "epochs": 200, "milestones": [40],
                   "batch": 32, "clip": 10.0}"#,
        ..MOST
    },
    System {
        name: "dsdl-voc2007",
        data: "voc2007",
        summary: "Deep Semantic Dictionary Learning (Zhou et al. 2021)",
        source: "github.com/ZFT-CQU/DSDL 024b3a6, voc2007/demo_voc2007.py and run_voc2007.sh",
        differs: "batch 32 is that of run_voc2007.sh; objects marked difficult count as present in testing too, where the script \
                  leaves them out",
        train: r#"{"model": {"head": "dsdl", "word_vectors": "glove.txt", "head_options": {"ridge": 10.0, "reconstruction": 1e-4}},
                   "lr": 0.01, "epochs": 200, "milestones": [40], "batch": 32, "clip": 10.0}"#,
        ..MOST
    },
    System {
        name: "cpcl-coco",
        data: "coco2014",
        summary: "Category Prototype Compositional Learning (Zhou et al. 2021)",
        source: "github.com/FT-ZHOU-ZZZ/CPCL 9e2efed, MS-COCO/run_coco.sh",
        differs: "nothing known",
        train: r#"{"model": {"head": "cpcl", "word_vectors": "glove.txt", "head_options": {"margin": 2.0}},
                   "lr": 0.01, "epochs": 170, "milestones": [30], "batch": 16, "clip": 10.0}"#,
        ..MOST
    },
    System {
        name: "cpcl-nuswide",
        data: "nuswide",
        summary: "Category Prototype Compositional Learning (Zhou et al. 2021)",
        source: "github.com/FT-ZHOU-ZZZ/CPCL 9e2efed, NUS-WIDE/run_nuswide.sh",
        differs: "nothing known",
        train: r#"{"model": {"head": "cpcl", "word_vectors": "glove.txt", "head_options": {"margin": 1.0}},
                   "lr": 0.01, "epochs": 100, "milestones": [30], "batch": 16, "clip": 10.0}"#,
        ..MOST
    },
    System {
        name: "cpcl-voc2007",
        data: "voc2007",
        summary: "Category Prototype Compositional Learning (Zhou et al. 2021)",
        source: "github.com/FT-ZHOU-ZZZ/CPCL 9e2efed, VOC/run_voc2007.sh",
        differs: "objects marked difficult count as present in testing too, where the script leaves them out",
        train: r#"{"model": {"head": "cpcl", "word_vectors": "glove.txt", "head_options": {"margin": 2.0}},
                   "lr": 0.01, "epochs": 100, "milestones": [40], "batch": 16, "clip": 10.0}"#,
        ..MOST
    },
    System {
        name: "mcar-coco",
        data: "coco2014",
        summary: "Multi-Class Attentional Regions (Gao and Zhou 2021)",
        source: MCAR,
        differs: MCAR_DIFFERS,
        train: MCAR_TRAIN,
        evaluate: r#"{"convention": "ml-gcn", "threshold": 0.6, "top_k": 3}"#,
        ..MOST
    },
    System {
        name: "mcar-voc2007",
        data: "voc2007",
        summary: "Multi-Class Attentional Regions (Gao and Zhou 2021)",
        source: MCAR,
        differs: "as mcar-coco; objects marked difficult count as present in testing too, where the script leaves them out",
        train: MCAR_TRAIN,
        evaluate: r#"{"convention": "ml-gcn", "threshold": 0.6, "top_k": 3}"#,
        ..MOST
    },
    System {
        name: "ms-cma-coco",
        data: "coco2014",
        summary: "Cross-Modality Attention, two scales (You et al. 2020)",
        source: "You et al., Cross-Modality Attention with Semantic Graph Embedding for Multi-Label Classification, AAAI 2020",
        differs: PAPER_ONLY,
        base: ml_gcn,
        train: r#"{"model": {"head": "ms_cma"}}"#,
        ..MOST
    },
    System {
        name: "ms-cma-nuswide",
        data: "nuswide",
        summary: "Cross-Modality Attention, two scales (You et al. 2020)",
        source: "You et al., Cross-Modality Attention with Semantic Graph Embedding for Multi-Label Classification, AAAI 2020",
        differs: PAPER_ONLY,
        base: ml_gcn,
        train: r#"{"model": {"head": "ms_cma", "head_options": {"beta": 0.4}}}"#,
        ..MOST
    },
    System {
        name: "cadm-coco",
        data: "coco2014",
        summary: "Class-Aware Disentangled Maps (Chen et al. 2019)",
        source: "Chen et al., Multi-Label Image Recognition with Joint Class-Aware Map Disentangling and Label Correlation Embedding, \
                 ICME 2019",
        differs: PAPER_ONLY,
        base: ml_gcn,
        train: r#"{"model": {"head": "cadm"}}"#,
        ..MOST
    },
    System {
        name: "cadm-nuswide",
        data: "nuswide",
        summary: "Class-Aware Disentangled Maps (Chen et al. 2019)",
        source: "Chen et al., Multi-Label Image Recognition with Joint Class-Aware Map Disentangling and Label Correlation Embedding, \
                 ICME 2019",
        differs: PAPER_ONLY,
        base: ml_gcn,
        train: r#"{"model": {"head": "cadm"}}"#,
        ..MOST
    },
    System {
        name: "csra-coco",
        data: "coco2014",
        summary: "Class-Specific Residual Attention with 4 heads (Zhu and Wu 2021)",
        source: CSRA,
        differs: "the README trains 4 heads with a command that has 6; 4 and λ 0.5 are those of its COCO model. The script keeps every \
                  epoch: the best one is taken here",
        train: r#"{"model": {"head": "csra", "normalise": "none", "head_options": {"heads": 4.0, "lambda": 0.5}},
                   "lr": 0.01, "backbone_lr": 1.0, "lr_factors": {"head": 10.0}, "epochs": 30, "step_every": 5, "warmup": 2.0,
                   "batch": 16, "augment": {"crop": "resized", "resize_first": 0, "resized_crop_scale": [0.7, 1.0]}}"#,
        ..MOST
    },
    System {
        name: "csra-voc2007",
        data: "voc2007",
        summary: "Class-Specific Residual Attention (Zhu and Wu 2021)",
        source: CSRA,
        differs: "the script keeps every epoch: the best one is taken here. Objects marked difficult count as absent in training, as \
                  there, and in testing too, where the script leaves them out",
        dataset: r#"{"val": 0.0, "difficult": false}"#,
        train: r#"{"model": {"head": "csra", "normalise": "none", "head_options": {"heads": 1.0, "lambda": 0.1}},
                   "lr": 0.01, "backbone_lr": 1.0, "lr_factors": {"head": 10.0}, "epochs": 30, "step_every": 4, "warmup": 2.0,
                   "batch": 16, "augment": {"crop": "resized", "resize_first": 0, "resized_crop_scale": [0.7, 1.0]}}"#,
        ..MOST
    },
    System {
        name: "asl-tresnet-l-coco",
        data: "coco2014",
        summary: "TResNet-L with the asymmetric loss (Ridnik et al. 2021)",
        source: "github.com/Alibaba-MIIL/ASL 8c9e0bd, train.py",
        differs: ASL_DIFFERS,
        base: one_cycle,
        train: ASL_TRAIN,
        evaluate: r#"{"convention": "asl", "top_k": 3}"#,
        ..MOST
    },
    System {
        name: "asl-tresnet-l-nuswide",
        data: "nuswide",
        summary: "TResNet-L with the asymmetric loss (Ridnik et al. 2021)",
        source: "github.com/Alibaba-MIIL/ASL 8c9e0bd, train.py",
        differs: "as asl-tresnet-l-coco; the script is for COCO, NUS-WIDE has its values, and the authors' own division of NUS-WIDE \
                  is another",
        base: one_cycle,
        train: ASL_TRAIN,
        evaluate: r#"{"convention": "asl", "top_k": 3}"#,
        ..MOST
    },
    System {
        name: "ml-decoder-coco",
        data: "coco2014",
        summary: "ML-Decoder on TResNet-L of the second version (Ridnik et al. 2023)",
        source: "github.com/Alibaba-MIIL/ML_Decoder 8a9e984, train.py",
        differs: "the authors start from their own weights of ImageNet-21K with an ML-Decoder head (tresnet_l_pretrain_ml_decoder.pth), \
                  which a script may give as model.weights; those of ImageNet-21K in timm are without such a head; half floats with a gradient scaler there, bfloat16 here",
        base: one_cycle,
        train: r#"{"model": {"backbone": "tresnet_v2_l", "weights": "in21k", "head": "ml_decoder"}, "epochs": 40, "batch": 56}"#,
        evaluate: r#"{"convention": "asl", "top_k": 3}"#,
        ..MOST
    },
    System {
        name: "q2l-coco",
        data: "coco2014",
        summary: "Query2Label on ResNet-101 (Liu et al. 2021)",
        source: Q2L,
        differs: Q2L_DIFFERS,
        base: query2label,
        train: r#"{"model": {"freeze": 1, "frozen_norms": true}}"#,
        evaluate: r#"{"convention": "q2l", "top_k": 3}"#,
        ..MOST
    },
    System {
        name: "q2l-coco-576",
        data: "coco2014",
        summary: "Query2Label on ResNet-101 at 576 pixels (Liu et al. 2021)",
        source: Q2L,
        differs: Q2L_DIFFERS,
        base: query2label,
        train: r#"{"model": {"freeze": 1, "frozen_norms": true, "image_size": 576}}"#,
        evaluate: r#"{"convention": "q2l", "top_k": 3}"#,
        ..MOST
    },
    System {
        name: "q2l-tresnet-l-coco",
        data: "coco2014",
        summary: "Query2Label on TResNet-L (Liu et al. 2021)",
        source: Q2L,
        differs: "as q2l-coco; the README's command is for ResNet-101. The first stages keep their batch statistics here, their weights \
                  alone there",
        base: query2label,
        train: r#"{"model": {"backbone": "tresnet_l", "freeze": 1}}"#,
        evaluate: r#"{"convention": "q2l", "top_k": 3}"#,
        ..MOST
    },
    System {
        name: "q2l-nuswide",
        data: "nuswide",
        summary: "Query2Label on ResNet-101 (Liu et al. 2021)",
        source: Q2L,
        differs: "as q2l-coco; the script is for COCO, NUS-WIDE has its values",
        base: query2label,
        train: r#"{"model": {"freeze": 1, "frozen_norms": true}}"#,
        evaluate: r#"{"convention": "q2l", "top_k": 3}"#,
        ..MOST
    },
    System {
        name: "q2l-tresnet-l-nuswide",
        data: "nuswide",
        summary: "Query2Label on TResNet-L (Liu et al. 2021)",
        source: Q2L,
        differs: "as q2l-tresnet-l-coco; the script is for COCO, NUS-WIDE has its values",
        base: query2label,
        train: r#"{"model": {"backbone": "tresnet_l", "freeze": 1}}"#,
        evaluate: r#"{"convention": "q2l", "top_k": 3}"#,
        ..MOST
    },
];

const ML_GCN: &str = "github.com/Megvii-Nanjing/ML-GCN 5517d6f, demo_coco_gcn.py and engine.py; Chen et al., CVPR 2019";
const ML_GCN_DIFFERS: &str = "the script's own rate (0.1), epochs (20) and batch (16), without ImageNet weights, are those of its \
     evaluation: rate, epochs and decay here are the paper's, and batch 32 is the README's";
const ML_GCN_TRAIN: &str = r#"{"model": {"head": "ml_gcn", "word_vectors": "glove.txt"}}"#;

const SRN: &str = "Zhu et al., CVPR 2017; its training scripts are not in github.com/zhufengx/SRN_multilabel";
const SRN_DIFFERS: &str = "from the paper's text: it trains the parts one after another (network, attention, regularisation, all), here all \
     at once; it lowers the rate where the loss stops falling, here after 20 and 30 epochs of 40 (a guess); it crops at 5 places, here 13";
const SRN_TRAIN: &str = r#"{"model": {"head": "srn", "image_size": 224}, "lr": 1e-3, "backbone_lr": 1.0, "epochs": 40,
     "milestones": [20, 30], "batch": 96, "weight_decay": 5e-4, "augment": {"resize_first": 256}}"#;

const SSGRL_DIFFERS: &str = "the script tests on the middle 576 of 640 pixels, here on the whole picture";
const SSGRL_TRAIN: &str = r#"{"model": {"head": "ssgrl", "image_size": 576, "freeze": 3, "word_vectors": "glove.txt"}, "lr": 1e-5,
     "epochs": 200, "batch": 4, "augment": {"crop": "squares", "resize_first": 640, "flip": 0.0}}"#;

const C_TRAN_DIFFERS: &str = "the script divides the rate by ten where the loss has not fallen for five epochs, here it is constant; it \
     tests on the middle 576 of 640 pixels, here on the whole picture";

const MGTN: &str = "github.com/ReML-AI/MGTN 76bf9ea, main.py with the README's options";

const MCAR: &str = "github.com/gaobb/MCAR 04a442e, src/main.py and run.sh";
const MCAR_DIFFERS: &str = "run.sh trains MobileNetV2 on VOC 2007 at 256 pixels; ResNet-101 and 448 pixels are among the values that it \
     names. It pools by the mean, as here, and its evaluation counts scores from 0.6";
const MCAR_TRAIN: &str = r#"{"model": {"head": "mcar"}, "lr": 0.01, "epochs": 60, "milestones": [30, 50], "batch": 16,
     "augment": {"crop": "resized", "resize_first": 0, "resized_crop_scale": [1.0, 1.0], "color_jitter": 0.3}}"#;

const CSRA: &str = "github.com/Kevinz-code/CSRA c8480d1, main.py";

const PAPER_ONLY: &str =
    "no code was published: the head is reconstructed from the paper's text; the training is ML-GCN's, and a guess";

const ASL_DIFFERS: &str = "the authors stop after 41 of the 80 epochs that their schedule is for; half floats with a gradient scaler \
     there, bfloat16 here; batch 128 is the script's default; 448 pixels are those of the README's models, and the script's \
     default is 224";
const ASL_TRAIN: &str = r#"{"model": {"backbone": "tresnet_l", "head": "gap"}, "epochs": 80, "batch": 128}"#;

const Q2L: &str = "github.com/SlongLiu/query2labels 55eb050, main_mlc.py with the README's options";
const Q2L_DIFFERS: &str = "Cutout's side is half of the picture's, as the option --cut_fact says; the script does not pass it on and has \
     squares of three pixels. Its early stop also waits where the regular weights alone have a better mAP, or the average's last mAP is its \
     best; here patience 9 counts from the best mAP of either. Half floats with a gradient scaler there, bfloat16 here";

/// The options that every published script has: the whole training split, single precision, no average of weights.
fn common() -> Value {
    json!({
        "model": { "backbone": "resnet101", "weights": "imagenet", "image_size": 448 },
        // MultiLabelSoftMarginLoss, BCEWithLogitsLoss.
        "loss": { "name": "bce", "reduction": "mean" },
        "drop_last": false,
        "ema": 0.0,
        "views": 0,
        "select_on": "test",
        "eval_every": 1,
        "augment": { "flip": 0.5, "cutout": 0.0 },
    })
}

fn based(changes: Value) -> Value {
    let mut base = common();
    merge(&mut base, changes);
    base
}

/// SGD with momentum and steps, smaller rates in the backbone, crops of several scales: ML-GCN's code, from which others descend.
fn sgd() -> Value {
    based(json!({
        "optimiser": "sgd",
        "momentum": 0.9,
        "schedule": "step",
        "backbone_lr": 0.1,
        "weight_decay": 1e-4,
        // Their groups of parameters are of modules, norms and biases included.
        "decay_on": "all",
        "augment": { "crop": "multi_scale", "resize_first": 512 },
    }))
}

/// ML-GCN's training, which systems without a published script have here too.
fn ml_gcn() -> Value {
    let mut options = sgd();
    merge(
        &mut options,
        json!({
            "lr": 0.01,
            "epochs": 100,
            "milestones": [40, 80],
            "batch": 32,
            "clip": 10.0,
            "augment": { "resize_first": 0 },
        }),
    );
    options
}

/// Adam at one rate, without decay.
fn adam() -> Value {
    based(json!({ "optimiser": "adam", "schedule": "constant", "weight_decay": 0.0 }))
}

/// The code of ASL and its descendants.
fn one_cycle() -> Value {
    based(json!({
        "model": { "normalise": "none" },
        "loss": { "name": "asl", "gamma_neg": 4.0, "gamma_pos": 0.0, "clip": 0.05, "eps": 1e-8, "reduction": "sum" },
        "optimiser": "adam",
        "lr": 1e-4,
        "pct_start": 0.2,
        "cycle_momentum": true,
        "weight_decay": 1e-4,
        "precision": "bfloat16",
        "ema": 0.9997,
        "ema_warmup": false,
        "augment": {
            "resized_crop_scale": [1.0, 1.0], "flip": 0.0,
            "cutout": 1.0, "cutout_factor": 0.5, "cutout_inclusive": true,
            "randaugment": 2, "randaugment_policy": "uda",
        },
    }))
}

/// Query2Label's code.
fn query2label() -> Value {
    let mut options = one_cycle();
    merge(
        &mut options,
        json!({
            // Its code projects the positions only where it is asked to, and is as wide as its backbone.
            "model": { "head": "q2l", "normalise": "backbone", "head_options": { "input_proj": false, "width": 0.0 } },
            "loss": {
                "name": "asl", "gamma_neg": 2.0, "gamma_pos": 0.0, "clip": 0.0, "eps": 1e-5, "reduction": "mean",
                "scale": 1000.0,
            },
            "optimiser": "adamw",
            "epochs": 80,
            "batch": 64,
            "drop_last": true,
            "weight_decay": 1e-2,
            "decay_on": "all",
            // --early-stop: more than eight epochs without a better one.
            "patience": 9,
        }),
    );
    options
}

impl System {
    /// Errors: none for a system of the list; a test reads every one.
    pub(super) fn recipe(&self) -> Result<Value> {
        let mut train = (self.base)();
        merge(&mut train, self.json(self.train)?);
        let mut recipe = json!({
            "name": self.name,
            "summary": self.summary,
            "source": self.source,
            "differs": self.differs,
            "status": STATUS,
            "data": self.data,
            "dataset": self.json(self.dataset)?,
        });
        // The co-occurrence of the training labels, which a script puts into model.graph.
        let head = train["model"]["head"].as_str().unwrap_or_default();
        if heads::find(head).is_ok_and(|head| head.needs_graph) {
            recipe["graph"] = json!("cooccurrence");
        }
        recipe["train"] = train;
        recipe["evaluate"] = self.json(self.evaluate)?;
        Ok(recipe)
    }

    fn json(&self, text: &str) -> Result<Value> {
        serde_json::from_str(text).map_err(|cause| Error::internal(format!("the recipe {}: {cause}", self.name)))
    }
}

/// The state of these recipes.
pub const STATUS: &str = "never run at size here";
