#!/bin/sh
# Makes target/jupyter, a virtual environment with the Jupyter clients that the tests of the kernel run: jupyter_client, nbclient
# and jupyter_kernel_test. Does nothing when it is there; where it cannot be had it says so, and the tests are skipped.
set -eu
here=$(cd "$(dirname "$0")/.." && pwd)
folder=$here/target/jupyter
[ -f "$folder/ready" ] && exit 0
echo "== jupyter: bringing clients for the tests of the kernel (60 MB, half a minute)"
if python3 -m venv "$folder" && "$folder/bin/python" -m pip install --quiet --disable-pip-version-check --no-input \
    jupyter_client==8.10.0 nbclient==0.11.0 ipykernel==7.4.0 jupyter_kernel_test==0.7.0; then
    touch "$folder/ready"
else
    echo "== jupyter: the clients cannot be had here; the tests of the kernel will be skipped"
fi
