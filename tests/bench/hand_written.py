"""Reference script of `speed.py`: pandas, a scikit-learn pipeline, Keras, early stopping.

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
train_val, test, y_train_val, y_test = train_test_split(frame, y, test_size=0.15, stratify=y, random_state=seed)
train, val, y_train, y_val = train_test_split(
    train_val, y_train_val, test_size=0.176, stratify=y_train_val, random_state=seed
)
numeric_columns = frame.select_dtypes("number").columns
categorical_columns = frame.columns.difference(numeric_columns)
pipeline = ColumnTransformer(
    [
        ("numeric", make_pipeline(SimpleImputer(strategy="median"), StandardScaler()), numeric_columns),
        (
            "categorical",
            make_pipeline(
                SimpleImputer(strategy="constant", fill_value="missing"),
                OneHotEncoder(handle_unknown="ignore", sparse_output=False),
            ),
            categorical_columns,
        ),
    ]
)
train = pipeline.fit_transform(train).astype("float32")
val, test = (pipeline.transform(split).astype("float32") for split in (val, test))
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
early_stopping = keras.callbacks.EarlyStopping(patience=5, restore_best_weights=True)
model.fit(
    train, y_train, validation_data=(val, y_val), epochs=100, batch_size=32, callbacks=[early_stopping], verbose=0
)
loss, _ = model.evaluate(val, y_val, verbose=0)
model.evaluate(test, y_test, verbose=0)
with tempfile.TemporaryDirectory() as folder:
    model.save(f"{folder}/model.keras")
print(loss)
