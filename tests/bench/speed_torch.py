"""The MLP of `speed.py` in PyTorch: for every line of stdin, print the seconds of one epoch.

python tests/bench/speed_torch.py ROWS COLUMNS BATCH
"""

import sys
import time

import torch

rows, columns, batch = map(int, sys.argv[1:])
torch.manual_seed(0)
nn = torch.nn
model = nn.Sequential(
    nn.Linear(columns, 256),
    nn.ReLU(),
    nn.BatchNorm1d(256),
    nn.Dropout(0.1),
    nn.Linear(256, 128),
    nn.ReLU(),
    nn.BatchNorm1d(128),
    nn.Dropout(0.1),
    nn.Linear(128, 1),
)
optimizer, loss = torch.optim.Adam(model.parameters()), nn.BCEWithLogitsLoss()
x = torch.randn(rows, columns)
y = (x[:, :1] + x[:, 1:2] * x[:, 2:3] > 0).float()
for _ in sys.stdin:
    start = time.perf_counter()
    permutation = torch.randperm(rows)
    for begin in range(0, rows, batch):
        indices = permutation[begin : begin + batch]
        optimizer.zero_grad()
        loss(model(x[indices]), y[indices]).backward()
        optimizer.step()
    print(time.perf_counter() - start, flush=True)
