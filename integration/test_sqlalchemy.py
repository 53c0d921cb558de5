"""SQLAlchemy through the generic dialect of the package sqlalchemy-adbc.

What its reflection lacks is its own: it knows tables by the type "table", in lower
case, so that get_table_names() is empty for servers that say TABLE.
"""

import datetime

import pandas
import pytest
import sqlalchemy as sa
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column


@pytest.fixture
def engine(one):
    address = one.uri.removeprefix("grpc://")
    engine = sa.create_engine(f"adbc+flightsql://{address}/?tls=false")
    yield engine
    engine.dispose()


def test_text_with_parameters_and_transactions(one, engine, name):
    with engine.connect() as connection:
        assert connection.execute(sa.text("SELECT 1 AS x")).all() == [(1,)]
        connection.execute(sa.text(f"CREATE TABLE {name} (i BIGINT, s VARCHAR)"))
        insert = sa.text(f"INSERT INTO {name} VALUES (:i, :s)")
        connection.execute(insert, [{"i": 1, "s": "a"}, {"i": 2, "s": None}])
        connection.commit()
        connection.execute(insert, {"i": 3, "s": "gone"})
        assert connection.execute(sa.text(f"SELECT count(*) FROM {name}")).scalar() == 3
        connection.rollback()
        found = connection.execute(sa.text(f"SELECT * FROM {name} WHERE i = :i"), {"i": 2})
        assert found.mappings().all() == [{"i": 2, "s": None}]
    with engine.begin() as connection:
        connection.execute(insert, {"i": 4, "s": "d"})
    with pytest.raises(ZeroDivisionError), engine.begin() as connection:
        connection.execute(insert, {"i": 5, "s": "gone"})
        raise ZeroDivisionError
    assert one.rows(f"SELECT i FROM {name} ORDER BY i") == [(1,), (2,), (4,)]


def test_errors_are_those_of_the_dbapi(engine):
    with engine.connect() as connection, pytest.raises(sa.exc.ProgrammingError, match="nosuch"):
        connection.execute(sa.text("SELECT * FROM nosuch"))


def test_a_pool_gives_connections_out_again(engine):
    for k in range(20):
        with engine.connect() as connection:
            assert connection.execute(sa.text("SELECT :k + 1"), {"k": k}).scalar() == k + 1


def test_reflection(one, engine, name):
    one.run(f"CREATE SCHEMA s_{name}", f"CREATE TABLE s_{name}.t (i BIGINT NOT NULL, s VARCHAR, d DATE)")
    inspector = sa.inspect(engine)
    assert {"main", f"s_{name}"} <= set(inspector.get_schema_names())
    assert inspector.has_table("t", schema=f"s_{name}") and not inspector.has_table("nosuch")
    columns = inspector.get_columns("t", schema=f"s_{name}")
    assert [(c["name"], str(c["type"])) for c in columns] == [("i", "BIGINT"), ("s", "VARCHAR"), ("d", "DATE")]
    table = sa.Table("t", sa.MetaData(), schema=f"s_{name}", autoload_with=engine)
    with engine.begin() as connection:
        connection.execute(sa.insert(table), [{"i": 1, "s": "a", "d": datetime.date(2024, 2, 29)}, {"i": 2, "s": None, "d": None}])
        assert connection.execute(sa.select(table.c.d).where(table.c.i == 1)).scalar() == datetime.date(2024, 2, 29)
    assert inspector.get_table_names(schema=f"s_{name}") == [], "the dialect's own fault; see above"


def test_orm(engine):
    class Base(DeclarativeBase):
        pass

    class User(Base):
        __tablename__ = "orm_users"
        id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
        name: Mapped[str]
        score: Mapped[float] = mapped_column(default=0.5)

    Base.metadata.create_all(engine)
    with Session(engine) as session:
        session.add_all([User(id=1, name="a"), User(id=2, name="b", score=2.0)])
        session.flush()
        session.add(User(id=3, name="c"))
        session.commit()
        found = session.scalars(sa.select(User).where(User.score < 1).order_by(User.id)).all()
        assert [(user.id, user.name) for user in found] == [(1, "a"), (3, "c")]
        assert session.get(User, 2).score == 2.0
        assert session.scalar(sa.select(sa.func.count()).select_from(User)) == 3
    Base.metadata.drop_all(engine)


def test_pandas_with_an_engine(one, engine, name):
    frame = pandas.DataFrame({"i": [1, 2], "s": ["a", None]})
    assert frame.to_sql(name, engine, index=False) == 2
    frame.to_sql(name, engine, index=False, if_exists="append")
    assert pandas.read_sql(f"SELECT * FROM {name} ORDER BY i", engine)["i"].tolist() == [1, 1, 2, 2]
    query = sa.text(f"SELECT count(*) AS n FROM {name} WHERE i = :i")
    assert pandas.read_sql(query, engine, params={"i": 1})["n"].tolist() == [2]
    assert one.rows(f"SELECT count(s) FROM {name}") == [(2,)]
