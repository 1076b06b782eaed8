"""What a process frees stays with it."""

import platform
import subprocess
import sys
import textwrap

import pytest

PROGRAM = textwrap.dedent(
    """
    import resource
    import torch
    from dlcore.engine.allocator import keep_freed_memory

    def new_pages():
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
        for _ in range(5):
            torch.ones(16 * 2**20)  # 64 MiB
        return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

    before = new_pages()
    assert keep_freed_memory()
    for _ in range(4):
        new_pages()  # the heap grows until all has a place
    assert new_pages() < before / 10
    """
)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="the C library is another one")
def test_large_blocks_are_used_again():
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
