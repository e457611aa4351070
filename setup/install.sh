#!/bin/sh
# Installs target/release/cpsd under a prefix with its manual pages and the completions of shells, or removes them.
#   setup/install.sh install|uninstall PREFIX
#   LIBTORCH_COPY=1   also a copy of libtorch, in PREFIX/lib/cpsd; without it the program uses the one that it was built with
#   DESTDIR=DIR       puts everything below DIR, for packages
set -eu
here=$(cd "$(dirname "$0")/.." && pwd)
what=${1:-} prefix=${2:-}
case $prefix in
/*) ;;
*) echo "install: expected an absolute PREFIX, as in make install PREFIX=/usr/local; got \"$prefix\"" >&2; exit 2 ;;
esac
root=${DESTDIR:-}$prefix
program=$root/bin/cpsd
bash=$root/share/bash-completion/completions/cpsd
zsh=$root/share/zsh/site-functions/_cpsd
fish=$root/share/fish/vendor_completions.d/cpsd.fish
man=$root/share/man/man1
# The program looks here before it looks where it was built: build.rs has its run paths.
copy=$root/lib/cpsd

uninstall() {
    rm -f "$program" "$bash" "$zsh" "$fish" "$man"/cpsd.1 "$man"/cpsd-*.1
    rm -rf "$copy"
}

install_all() {
    new=${CPSD_PROGRAM:-$here/target/release/cpsd}
    [ -x "$new" ] || { echo "install: $new is not there; make build makes it" >&2; exit 1; }
    mkdir -p "$root/bin" "$(dirname "$bash")" "$(dirname "$zsh")" "$(dirname "$fish")" "$man"
    # A running program is replaced, not overwritten.
    cp "$new" "$program.new"
    chmod 755 "$program.new"
    mv "$program.new" "$program"
    rm -rf "$copy"
    libtorch=${LIBTORCH:-$here/.libtorch/torch}
    if [ "${LIBTORCH_COPY:-0}" = 1 ]; then
        [ -d "$libtorch/lib" ] || { echo "install: no libtorch in $libtorch/lib to copy" >&2; exit 1; }
        # Side by side as in PyTorch's wheel: its libraries find those of CUDA by that.
        mkdir -p "$copy/torch"
        cp -R "$libtorch/lib" "$copy/torch/lib"
        # By them `cpsd --version` knows it without loading it.
        for file in version.py build-version; do if [ -f "$libtorch/$file" ]; then cp "$libtorch/$file" "$copy/torch/"; fi; done
        if [ -f "$libtorch/../version" ]; then cp "$libtorch/../version" "$copy/version"; fi
        if [ -d "$libtorch/../nvidia" ]; then cp -R "$libtorch/../nvidia" "$copy/nvidia"; fi
        said="a copy in $copy"
    else
        said="that of the build, which must stay where it is: $libtorch (LIBTORCH_COPY=1 copies it)"
    fi
    "$program" man "$man" >/dev/null
    # Shells ask the program by its name, so that a package may be built elsewhere.
    PATH=$root/bin:$PATH
    cpsd completions bash >"$bash"
    cpsd completions zsh >"$zsh"
    cpsd completions fish >"$fish"
    echo "== installed $program, its manual pages, and completions for bash, zsh and fish"
    echo "   libtorch: $said"
    case :$PATH_BEFORE: in
    *":$prefix/bin:"*) ;;
    *) echo "   $prefix/bin is not in PATH" ;;
    esac
    echo "   zsh finds them with fpath=($prefix/share/zsh/site-functions \$fpath) before compinit; bash with the package bash-completion"
}

PATH_BEFORE=$PATH
case $what in
install) install_all ;;
uninstall) uninstall ;;
*) echo "install: expected install or uninstall; got \"$what\"" >&2; exit 2 ;;
esac
