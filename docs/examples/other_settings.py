"""A recipe with other settings.

The recipe `forecast` on its sample, the weekly concentration of carbon dioxide, with another horizon and fewer epochs.
"""

import tfkit

run = tfkit.train("forecast", horizon=26, epochs=3, quiet=True)

print("run:", run.folder)
print("test:", {name: round(value, 3) for name, value in run.metrics["test"].items()})
print("seasonal naive:", {name: round(value, 3) for name, value in run.metrics["baselines"]["seasonal_naive"].items()})
print(run.predict(tfkit.sample_path("co2.csv.gz")).head(3))
