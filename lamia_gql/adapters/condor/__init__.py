"""HTCondor: its job event logs become events.

``log_file`` reads one file, ``log_reader`` a log with its rotations, ``followed_log`` pairs the
records of a job, ``job_history`` makes events of them; ``source`` follows several logs.
"""
