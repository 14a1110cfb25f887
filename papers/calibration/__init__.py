"""How often each rule of judgement is wrong, by simulation through the real code."""
