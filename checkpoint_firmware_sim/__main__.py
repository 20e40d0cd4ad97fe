"""`python -m checkpoint_firmware_sim` is the command `checkpoint-firmware-sim`."""

from checkpoint_firmware_sim.cli import main

main()
