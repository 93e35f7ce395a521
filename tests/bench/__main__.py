"""All of it: small networks on Iris, tangent dynamics, pruned descent, and networks on all of MNIST where that is at hand."""

import torch

from netdyn_lib import machine

from . import images, iris, pruning, tangents

if __name__ == "__main__":
    about = machine.describe()
    print(f"PyTorch {torch.__version__}, {about['cpu_capability']}, {about['processor']}, {about['cores']} cores", flush=True)
    iris.main()
    tangents.main()
    pruning.main()
    images.main()
