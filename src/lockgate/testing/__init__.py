"""For tests of your own: the exams that stores sit, and the twins that stand in for them.

Whoever writes a store to one of our Protocols runs its exam:

    @pytest.mark.parametrize(("sentence", "question"), ledger_exam(MyLedger))
    def test_my_ledger(sentence, question):
        question()
"""

from lockgate.features.store import MemoryStore
from lockgate.ledger.blobs import memory_blobs
from lockgate.ledger.memory import MemoryLedger
from lockgate.testing.blob_exam import blob_exam
from lockgate.testing.ledger_exam import ledger_exam
from lockgate.testing.store_exam import store_exam

__all__ = ["MemoryLedger", "MemoryStore", "blob_exam", "ledger_exam", "memory_blobs", "store_exam"]
