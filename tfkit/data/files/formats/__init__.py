"""Table files of other systems: Arrow, ORC, JSON documents, Excel, SQLite, ARFF, TSF, NumPy."""
