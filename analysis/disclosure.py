"""stub"""
def disclosed(frames, *, profile, minimum_count):
    return dict(frames)
