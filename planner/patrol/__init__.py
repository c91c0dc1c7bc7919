"""Who walks which streets tonight: patrol routes over street segments."""
