# dapu with the drivers of its extras, but for the private PostgreSQL of a first try.
# The warehouse directory is mounted at /warehouse: dapu writes nothing there.
FROM python:3.11-slim-bookworm AS build
WORKDIR /src
COPY setup.py setup.cfg pyproject.toml README.md LICENSE ./
COPY dapu dapu
COPY sql sql
COPY definitions definitions
RUN python -m venv /opt/dapu \
    && /opt/dapu/bin/pip install --no-cache-dir ".[files,mssql,mysql,server,snowflake,wfs]"

FROM python:3.11-slim-bookworm
COPY --from=build /opt/dapu /opt/dapu
RUN useradd --uid 10001 --no-create-home --shell /usr/sbin/nologin dapu
ENV PATH=/opt/dapu/bin:$PATH \
    HOME=/tmp \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
USER 10001
WORKDIR /warehouse
ENTRYPOINT ["dapu"]
CMD ["--help"]
