"""The readers behind `surveyor.agent.parser.parse`, each built on the one before it.

tokens and cursor -> quantities -> positions -> relations -> likening -> ranks -> conditions -> names -> modifiers ->
phrases -> sets -> measuring -> questions -> requests; `vocabulary` holds the fixed words, `noun` the noun phrase being
read, `checks` what excludes what.
"""
