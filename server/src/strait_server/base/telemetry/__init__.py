"""What the process tells about itself: log lines, metrics and traces.

All three are for operators and may be lost; nothing that must be right stands
on them (T120). Nothing secret leaves through them.
"""
