"""The script of the usual kind that `speed.py` compares with: pandas, a scikit-learn pipeline, Keras, early stopping.

python tests/bench/hand_written.py adult.csv.gz SEED
"""

import sys
import tempfile

import keras
import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

file, seed = sys.argv[1], int(sys.argv[2])
keras.utils.set_random_seed(seed)
frame = pd.read_csv(file, na_values="?").drop_duplicates()
y = (frame.pop("income").str.strip() == ">50K").astype("int32").to_numpy()
rest, test, y_rest, y_test = train_test_split(frame, y, test_size=0.15, stratify=y, random_state=seed)
train, val, y_train, y_val = train_test_split(rest, y_rest, test_size=0.176, stratify=y_rest, random_state=seed)
numbers = frame.select_dtypes("number").columns
words = frame.columns.difference(numbers)
pipeline = ColumnTransformer(
    [
        ("numbers", make_pipeline(SimpleImputer(strategy="median"), StandardScaler()), numbers),
        (
            "words",
            make_pipeline(
                SimpleImputer(strategy="constant", fill_value="missing"),
                OneHotEncoder(handle_unknown="ignore", sparse_output=False),
            ),
            words,
        ),
    ]
)
train = pipeline.fit_transform(train).astype("float32")
val, test = (pipeline.transform(part).astype("float32") for part in (val, test))
model = keras.Sequential(
    [
        keras.Input((train.shape[1],)),
        keras.layers.Dense(128, activation="relu"),
        keras.layers.Dropout(0.2),
        keras.layers.Dense(64, activation="relu"),
        keras.layers.Dropout(0.2),
        keras.layers.Dense(1, activation="sigmoid"),
    ]
)
model.compile("adam", "binary_crossentropy", metrics=["accuracy"])
stop = keras.callbacks.EarlyStopping(patience=5, restore_best_weights=True)
model.fit(train, y_train, validation_data=(val, y_val), epochs=100, batch_size=32, callbacks=[stop], verbose=0)
loss, _ = model.evaluate(val, y_val, verbose=0)
model.evaluate(test, y_test, verbose=0)
with tempfile.TemporaryDirectory() as folder:
    model.save(f"{folder}/model.keras")
print(loss)
