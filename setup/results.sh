#!/bin/sh
# Trains what docs/results.md shows of the method and writes its files under docs/results/: the CSV files, the figures and what each
# script printed (.txt); then the tables of the page. Each part says its command and how long it took; the first that fails ends all. What
# the run store holds is not trained again. PHOTOS: a folder with images, labels_words.csv, labels_objects.csv and split.csv, or
# nothing. CPSD: the program. SEEDS and PHOTO_SEEDS: seeds of the parts. FEW: what makes the smaller parts small; MORE: further arguments of the
# others, so that a trial of all parts takes a minute. ONLY: these parts alone, as ablation_k,ablation_objects.
set -eu
cd "$(dirname "$0")/.."
cpsd=${CPSD:-target/release/cpsd}
seeds=${SEEDS:-0,1,2,3,4,5,6,7}
photo_seeds=${PHOTO_SEEDS:-0,1,2,3,4,5,6,7}
few=${FEW:-train=500 epochs=32 teacher_epochs=16}
more=${MORE:-}
kept=docs/results
mkdir -p "$kept" out/results
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
    out=
    case ",${ONLY:-$name}," in *",$name,"*) ;; *) return ;; esac
    out=out/results/$name
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

part ablation_components ablation_components "seeds=$seeds" $more
keep ablation_components.csv ablation_components.csv
keep ablation_differences.csv ablation_components_differences.csv
part ablation_weight_2000 ablation_weight seeds=0 weights=0.005,0.02,0.1,0.5 $more
keep ablation_weight.csv ablation_weight_2000.csv
for figure in 0.02 0.5 test test_shifted; do keep "ablation_weight_$figure.png" "ablation_weight_$figure.png"; done
part ablation_k ablation_k "seeds=$seeds" $few
keep ablation_k.csv ablation_k.csv
keep ablation_k_test.png ablation_k_test.png
part ablation_weight ablation_weight "seeds=$(echo "$seeds" | cut -d, -f1-4)" $few
keep ablation_weight.csv ablation_weight.csv
part departures departures "seeds=$seeds" $few
keep departures.csv departures.csv
part beyond beyond "seeds=$(echo "$seeds" | cut -d, -f1-4)" $few
keep beyond.csv beyond.csv
part partition_stability partition_stability
keep partition_stability.csv partition_stability.csv
part partition_variants partition_stability students=true k=3 $few
keep partition_variants.csv partition_variants.csv

if [ -n "${PHOTOS:-}" ]; then
    for labels in words objects; do
        name=ablation_photographs
        [ $labels = words ] || name=ablation_objects
        part $name ablation_components "data=folder:$PHOTOS" "labels=labels_$labels.csv" split=split.csv "seeds=$photo_seeds" $more
        keep ablation_components.csv $name.csv
        keep ablation_differences.csv ${name}_differences.csv
    done
else
    echo "== skipped: the part on photographs (PHOTOS=DIR, a folder as shared/photos/)"
fi
"$cpsd" script docs/results/tables.rhai
