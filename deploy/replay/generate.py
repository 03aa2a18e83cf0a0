"""`overround generate`: writes a made-up recording in Betfair's stream format."""

from pathlib import Path

from rich.console import Console

from pipelines.betfair.generator import compressed, recording
from pipelines.betfair.recording import RecordingError

__all__ = ["SHIPPED", "generate_command"]

#: The recording that the package brings; `generate` with `SHIPPED_MAKING` writes it again.
SHIPPED = Path(__file__).with_name("recordings") / "generated-1.bz2"
SHIPPED_MAKING = {"seed": 1, "markets": 3, "runners": 6, "updates": 240}


def generate_command(file: Path, seed: int, markets: int, runners: int, updates: int) -> int:
    """Write the recording, compressed where the name ends in .bz2. Raises RecordingError."""
    try:
        lines = recording(seed, markets, runners, updates)
        parts = compressed(lines) if file.suffix == ".bz2" else lines
        file.parent.mkdir(parents=True, exist_ok=True)
        draft = file.with_name(file.name + ".new")
        try:
            with draft.open("wb") as stream:
                stream.writelines(parts)
            draft.replace(file)
        finally:
            draft.unlink(missing_ok=True)
    except ValueError as error:
        raise RecordingError(f"cannot generate: {error}") from error
    except OSError as error:
        raise RecordingError(f"{file} cannot be written: {error}") from error
    Console().print(
        f"{file}: {markets} markets, {file.stat().st_size:,} bytes, seed {seed}", highlight=False
    )
    return 0
