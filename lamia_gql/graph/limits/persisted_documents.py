"""The only documents that a server executes, if its operator has named them: an allow-list."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from graphql import DocumentNode, GraphQLError, parse, print_ast

from lamia_gql.domain.errors import LamiaError
from lamia_gql.graph.stored_operations import stored_documents

if TYPE_CHECKING:
    from lamia_gql.graph.limits.documents import Document

SUFFIX = ".graphql"


class UnusableDocuments(ValueError):  # noqa: N818  (named after the condition)
    """The folder of documents can't be used; a sentence for the operator says why."""


class PersistedDocuments:
    """The documents of a folder, and those that our own pages and programs send.

    Documents are equal if they differ in white space and comments only. A document is also known by
    its SHA-256: that of its text in the file, with and without the white space around it, and that
    of its text as the reference implementation prints it, which clients send.

    Args:
        texts: the documents.
    """

    def __init__(self, texts: Iterable[str]) -> None:
        self._by_hash: dict[str, str] = {}
        self._printed: set[str] = set()
        for text in texts:
            printed = print_ast(parse(text))
            self._printed.add(printed)
            for known in (text, text.strip(), printed):
                self._by_hash[sha256(known.encode()).hexdigest()] = printed

    def __len__(self) -> int:
        """The number of different documents."""
        return len(self._printed)

    def allow(self, document: DocumentNode) -> bool:
        """Whether the document is one of these."""
        return print_ast(document) in self._printed

    def find(self, digest: str) -> str | None:
        """The document with this SHA-256, in hexadecimal digits; None if there is none."""
        return self._by_hash.get(digest.lower())


def read_persisted_documents(folder: Path, check: Callable[[str], Document]) -> PersistedDocuments:
    """The documents in the files ``*.graphql`` of the folder and those below it, and our own.

    Args:
        folder: the operator's folder.
        check: parses a document, and raises ``GraphQLError`` or :class:`LimitExceeded` for one that
            is not valid by itself, or beyond the limits.

    Raises:
        UnusableDocuments: if the folder can't be read, or a document could never be executed.
    """
    if not folder.is_dir():
        problem = "is not a folder" if folder.exists() else "does not exist"
        raise UnusableDocuments(f"The folder of persisted documents {folder} {problem}.")
    own = stored_documents()
    return PersistedDocuments([*own, *(_read(file, check) for file in _files(folder))])


def _files(folder: Path) -> list[Path]:
    return sorted(file for file in folder.rglob(f"*{SUFFIX}") if file.is_file())


def _read(file: Path, check: Callable[[str], Document]) -> str:
    try:
        text = file.read_text(encoding="utf-8")
        errors = [error.message for error in check(text).errors]
    except OSError as error:
        errors = [error.strerror or "it can't be read"]
    except UnicodeDecodeError:
        errors = ["it is not text in UTF-8"]
    except (LamiaError, GraphQLError) as error:
        errors = [error.message]
    if errors:
        raise UnusableDocuments(
            f"The persisted document {file} can't be used: {errors[0].removesuffix('.')}."
        )
    return text
