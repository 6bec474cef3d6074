"""Documents of the type AFE, as an Execute server gives them, and their schema."""

from __future__ import annotations

import json
import random
import uuid
from typing import Any

AFE_SCHEMA: dict[str, Any] = {
    "AFE": {
        "DOCUMENT_ID": {"NAME": "Id", "ACTIVE": True, "TYPE": "GUID", "NULLABLE": False},
        "AFE_NUMBER": {"NAME": "AFE number", "ACTIVE": True, "TYPE": "TEXT", "SIZE": 50},
        "DESCRIPTION": {"NAME": "Description", "ACTIVE": True, "TYPE": "TEXT"},
        "GROSS_ESTIMATE": {"NAME": "Gross estimate", "ACTIVE": True, "TYPE": "DECIMAL"},
        "APPROVED_ON": {"NAME": "Approved on", "ACTIVE": True, "TYPE": "DATETIME"},
        "OPERATOR": {
            "NAME": "Operator",
            "ACTIVE": True,
            "TYPE": "DOCUMENT",
            "DOCUMENT_TYPE": "COMPANY",
        },
        "OWNER": {
            "NAME": "Owners",
            "ACTIVE": True,
            "TYPE": "RECORD LIST",
            "RECORD_TYPE": {
                "LISTITEM_ID": {"NAME": "Id", "ACTIVE": True, "TYPE": "GUID"},
                "NAME": {"NAME": "Name", "ACTIVE": True, "TYPE": "TEXT"},
                "WI": {"NAME": "Working interest", "ACTIVE": True, "TYPE": "DECIMAL"},
                "AMOUNT": {"NAME": "Amount", "ACTIVE": True, "TYPE": "DECIMAL"},
            },
        },
    }
}


def make_afe(number: int, version: int = 1) -> bytes:
    """The line of a document of about 2 kB, with a list of 20 records."""
    some = random.Random(number)
    document = {
        "$TYPE": "AFE",
        "DOCUMENT_ID": str(uuid.UUID(int=some.getrandbits(128))),
        "$VERSION": version,
        "$AUTHOR_ID": str(uuid.UUID(int=some.getrandbits(128))),
        "$DATE": "2024-03-04T05:06:07.123Z",
        "$DELETED": False,
        "AFE_NUMBER": f"24C{number:07d}",
        "DESCRIPTION": f"Drill, complete and equip a horizontal well, pad {number}",
        "GROSS_ESTIMATE": some.randrange(10**9) / 100,
        "APPROVED_ON": "2024-03-01T00:00:00Z",
        "OPERATOR": {"DOCUMENT_ID": str(uuid.UUID(int=some.getrandbits(128)))},
        "OWNER": [
            {
                "LISTITEM_ID": f"{some.getrandbits(48):012x}",
                "NAME": f"Partner {position}",
                "WI": some.randrange(10**6) / 1000,
                "AMOUNT": some.randrange(10**8) / 100,
            }
            for position in range(20)
        ],
    }
    return json.dumps(document, separators=(",", ":")).encode()


def make_long_afe(items: int) -> bytes:
    """The line of a document whose list has so many items."""
    item = '{"LISTITEM_ID":"%012x","NAME":"Partner %d","WI":%d.5,"AMOUNT":%d.25}'
    listed = ",".join(item % (number, number, number, number) for number in range(items))
    head = '"$TYPE":"AFE","DOCUMENT_ID":"1","$VERSION":1,"$DATE":"2024-01-01T00:00:00Z"'
    return f'{{"OWNER":[{listed}],{head},"$DELETED":false}}'.encode()
