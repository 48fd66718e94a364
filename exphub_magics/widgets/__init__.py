"""What moves or is clicked: bars while a run goes on, panels over the hub. Views, without logic of their own."""

from exphub_magics.widgets.bars import Lasting, Show, beside_cells, in_cell, on_terminal

__all__ = ["Lasting", "Show", "beside_cells", "in_cell", "on_terminal"]
