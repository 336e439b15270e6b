"""The errors of pacslake. A class says what the caller does next, a message says what, where and what to type.

No message holds a value that a PACS sent: such values may identify a patient. Pure.
"""

OUT_OF_MEMORY = "memory ran out. Ask for less at once, or let this process have more."


class PacslakeError(Exception):
    """Root of every error that pacslake raises on purpose."""


class UserError(PacslakeError):
    """The request or the configuration is wrong: say so and stop with exit code 2."""


class NotNowError(PacslakeError):
    """The PACS may not be asked at this hour, or a person said so: say until when, and stop with exit code 1."""


class PeerError(PacslakeError):
    """Something went wrong between us and a PACS."""


class TransientPeerError(PeerError):
    """Connection lost, time-out, temporary rejection: the same request may work later."""


class ProtocolError(TransientPeerError):
    """The peer sent bytes that DICOM does not allow, or more of them than we take: the association is cut."""


class RefusedError(PeerError):
    """The PACS will keep saying no until a person changes a setting here or there."""


class LakeError(PacslakeError):
    """The lake on disk could not be read or written."""


class NoLakeError(LakeError):
    """There is no lake at this path: stop with exit code 10."""


class NewerLakeError(LakeError):
    """A later release wrote this lake: stop with exit code 14."""


class LakeLockedError(LakeError):
    """Another process owns the lake: stop with exit code 11."""


class CommitConflictError(LakeLockedError):
    """Somebody else committed first: nothing of this commit was written; read again and retry."""


class QueueError(PacslakeError):
    """The queue that several services share did not answer: say so, and try again."""
