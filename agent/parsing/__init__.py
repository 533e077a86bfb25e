"""The readers behind `surveyor.agent.parser.parse`, each built on the one before it.

tokens and cursor -> quantities -> positions -> relations -> ranks -> conditions -> names -> modifiers -> phrases ->
sets -> requests; `vocabulary` holds the fixed words, `noun` the noun phrase being read, `checks` what excludes what.
"""
