#!/bin/sh
# Trains what docs/results.md shows of the method and writes its files under docs/results/: the CSV files, the figures and what each
# script printed (.txt); then the tables of the pages. Each part says its command and how long it took; the first that fails ends all. What
# the run store holds is not trained again. PHOTOS: a folder with images, labels_words.csv, labels_objects.csv and split.csv, or
# nothing. CPSD: the program. SEEDS: seeds of the largest parts, of which others take the first five, four or three;
# ablation_weight_2000, partition_stability and the two that try a finding with fresh seeds have their own. MORE: arguments that every
# part takes, as train=40, in place of its own of the same name: a trial takes minutes, and its numbers stand in docs/results/ after it, so
# it is made in a copy. ONLY: these parts alone, as ablation_k,ablation_objects.
set -eu
here=$(pwd)
cd "$(dirname "$0")/.."
cpsd=${CPSD:-target/release/cpsd}
seeds=${SEEDS:-0,1,2,3,4,5,6,7}
three=seeds=$(echo "$seeds" | cut -d, -f1-3)
four=seeds=$(echo "$seeds" | cut -d, -f1-4)
five=seeds=$(echo "$seeds" | cut -d, -f1-5)
# Those that no search has seen, for what a search has found.
fresh=seeds=8,9,10,11,12,13,14,15
few="train=500 epochs=32 teacher_epochs=16"
more=${MORE:-}
kept=docs/results
parts=
only=$(echo "${ONLY:-}" | tr -s ' ,' ',')
for word in $more; do
    case "$word" in
    plan=* | controls=* | probe=* | rows=* | methods=* | out=*)
        echo "MORE=$word: the pages' tables need all rows of each part, in its own folder" >&2
        exit 2
        ;;
    esac
done
mkdir -p "$kept" out/results
# A folder's path leads from here, or from where the call was made.
[ -z "${PHOTOS:-}" ] || [ -d "$PHOTOS" ] || [ ! -d "$here/$PHOTOS" ] || PHOTOS=$here/$PHOTOS
if [ -n "${PHOTOS:-}" ]; then
    for file in labels_words.csv labels_objects.csv split.csv; do
        [ -f "$PHOTOS/$file" ] || { echo "PHOTOS=$PHOTOS has no $file (labels_words.csv, labels_objects.csv, split.csv and the pictures)" >&2; exit 2; }
    done
fi

# part NAME SCRIPT arguments: tables go to out/results/NAME, what it prints to NAME.txt.
part() {
    name=$1
    script=$2
    shift 2
    left=$#
    while [ "$left" -gt 0 ]; do
        case " $more " in *" ${1%%=*}="*) ;; *) set -- "$@" "$1" ;; esac
        shift
        left=$((left - 1))
    done
    set -- "$@" $more
    out=
    if [ -n "$named" ]; then
        parts="$parts $name"
        return
    fi
    case ",${only:-$name}," in *",$name,"*) ;; *) return ;; esac
    out=out/results/$name
    # What an earlier call left would be taken for this one's.
    rm -rf "$out"
    mkdir -p "$out"
    echo "== $name: cpsd script scripts/$script.rhai $*"
    began=$(date +%s)
    if ! "$cpsd" script "scripts/$script.rhai" "$@" "out=$out" >"$out/printed.txt"; then
        cat "$out/printed.txt"
        echo "== $name failed; the same call goes on from there" >&2
        exit 1
    fi
    cat "$out/printed.txt"
    { echo "cpsd script scripts/$script.rhai $*"; echo; cat "$out/printed.txt"; } >"$kept/$name.txt"
    echo "== $name: $(($(date +%s) - began)) s"
}

# keep FILE NAME: a file of the last part, if it was not left out, becomes a file of the results.
keep() { [ -z "$out" ] || cp "$out/$1" "$kept/$2"; }

# The functions below take the name of a part and arguments of its data.

# The ablation with its controls.
ablation() {
    at=$1
    shift
    part "$at" ablation_components "seeds=$seeds" "$@"
    keep ablation_components.csv "$at.csv"
    keep ablation_differences.csv "${at}_differences.csv"
    # Few pictures may leave no label to probe, which is printed.
    [ -z "$out" ] || rm -f "$kept/${at}_probe.csv"
    [ ! -f "$out/context_probe_means.csv" ] || keep context_probe_means.csv "${at}_probe.csv"
}

# Losses of the distillation, each at several factors, as it is and scaled.
weights() {
    at=$1
    shift
    part "${at}_squares" ablation_weight methods=CPSD losses=mse,kl scales=none,gradient weights=0.02,0.05,0.1,0.5 relative=0.1,0.3,1 "$three" "$@"
    keep ablation_weight.csv "$name.csv"
    keep ablation_weight_best.csv "${name}_best.csv"
    part "${at}_asl" ablation_weight methods=CPSD losses=asl scales=none,gradient weights=1,3,10 relative=0.3,1,3 "$three" "$@"
    keep ablation_weight.csv "$name.csv"
    keep ablation_weight_best.csv "${name}_best.csv"
}

# Candidates beside controls of equal cost.
better() {
    at=$1
    shift
    part "$at" better "$five" "$@"
    keep better.csv "$at.csv"
}

# Points of the search for the regime in which partitions of the label graph pay, with the seeds of the second argument.
regime() {
    at=$1
    seeds_here=$2
    shift 2
    part "$at" regime weights=1.0 "$seeds_here" "$@"
    keep regime.csv "$at.csv"
    keep regime_differences.csv "${at}_differences.csv"
}

# photographs LABELS FUNCTION NAME arguments: one of them on the photographs with these labels.
photographs() {
    labels=$1
    what=$2
    shift 2
    "$what" "$@" "data=folder:$PHOTOS" "labels=labels_$labels.csv" split=split.csv
}

all_parts() {
    ablation ablation_components
    ablation ablation_components_mse distillation=mse
    part ablation_weight_2000 ablation_weight seeds=0 weights=0.005,0.02,0.1,0.5
    keep ablation_weight.csv ablation_weight_2000.csv
    for figure in 0.02 0.5 test test_shifted; do keep "ablation_weight_$figure.png" "ablation_weight_$figure.png"; done
    part ablation_k ablation_k distillation=mse "seeds=$seeds" $few
    keep ablation_k.csv ablation_k.csv
    keep ablation_k_test.png ablation_k_test.png
    part ablation_weight ablation_weight "$four" $few
    keep ablation_weight.csv ablation_weight.csv
    part departures departures "seeds=$seeds" $few
    keep departures.csv departures.csv
    part beyond beyond distillation=mse "$four" $few
    keep beyond.csv beyond.csv
    part partition_stability partition_stability
    keep partition_stability.csv partition_stability.csv
    part partition_variants partition_stability distillation=mse students=true k=3 $few
    keep partition_variants.csv partition_variants.csv
    weights weight_emoji train=1000
    better better_emoji train=1000
    regime regime_emoji "$five" train=500 contexts=0.5,1.0 containing=false,true
    regime gap "$five" train=1000 student_width=0,256 epochs=0,96
    regime gap_2000 "$five" student_width=0,256
    regime gap_labelled "$five" train=2000 labelled=0.5 student_width=0,256
    regime regime_k "$five" train=500 k=2,3,5,8
    regime regime_few "$fresh" train=250,500,1000 k=5
    regime regime_width "$five" train=500 student_width=0,256 teacher_width=0,256
    regime regime_views "$five" train=500 views=1,3,6
    regime regime_losses "$five" train=500 losses=asl,mse,probabilities,kl
    # As many picture passes as 2,000 pictures have with 48 and 32 epochs.
    regime regime_20000 "$five" train=20000 epochs=5 teacher_epochs=3

    if [ -n "${PHOTOS:-}" ]; then
        photographs words ablation ablation_photographs
        photographs words ablation ablation_photographs_mse distillation=mse
        photographs objects ablation ablation_objects
        photographs words weights weight_words
        photographs objects weights weight_objects
        photographs words better better_words
        photographs words regime regime_words "$five" train=500,0 containing=false,true
        photographs words regime regime_words_k "$five" k=2,3,5
        photographs words regime regime_words_few "$fresh" train=250,500 k=5
        photographs words regime regime_words_trained "$five" train=500 frozen=-1,6,5
    else
        echo "== skipped: the parts on photographs (PHOTOS=DIR, a folder as shared/photos/)"
    fi
}

# Their names alone, before anything is trained.
named=yes
all_parts >/dev/null
for name in $(echo "$only" | tr , ' '); do
    case "$parts " in *" $name "*) ;; *) echo "ONLY=$name is none of the parts (those on photographs need PHOTOS):$parts" >&2; exit 2 ;; esac
done
named=
all_parts
"$cpsd" script docs/results/tables.rhai
